package commitlog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// maxBehind is how many bytes of all logs together may lie behind their recovery
// points: a start after a crash reads them again.
const maxBehind = 2 << 30

// points writes recovery points beside the syncs, one log at a time, so that nobody
// who waits for the disk waits for them: those that are due, and when too much lies
// behind them all, those of the logs with most. So what a start after a crash reads
// again is bounded however many logs there are.
type points struct {
	most int64
	wake chan struct{} // buffered: a log was queued
	mu   struct {
		sync.Mutex
		behind map[*Log]int64 // bytes since a log's recovery point; none: 0
		total  int64
		queue  []*Log
		queued map[*Log]bool
	}
}

func newPoints(most int64) *points {
	if most == 0 {
		most = maxBehind
	}
	p := &points{most: most, wake: make(chan struct{}, 1)}
	p.mu.behind, p.mu.queued = map[*Log]int64{}, map[*Log]bool{}
	return p
}

// note takes in how many bytes lie behind a log's recovery point, and whether a new one
// is due.
func (p *points) note(l *Log, behind int64, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.total += behind - p.mu.behind[l]
	if behind == 0 {
		delete(p.mu.behind, l)
	} else {
		p.mu.behind[l] = behind
	}
	if due {
		p.enqueueLocked(l)
	}
	if p.mu.total <= p.most || len(p.mu.queue) > 0 {
		return
	}
	// To a half, so that this is rare.
	logs := slices.SortedFunc(maps.Keys(p.mu.behind), func(a, b *Log) int { return int(max(min(p.mu.behind[b]-p.mu.behind[a], 1), -1)) })
	left := p.mu.total
	for _, l := range logs {
		if left <= p.most/2 {
			return
		}
		left -= p.mu.behind[l]
		p.enqueueLocked(l)
	}
}

func (p *points) enqueueLocked(l *Log) {
	if p.mu.queued[l] {
		return
	}
	p.mu.queued[l] = true
	p.mu.queue = append(p.mu.queue, l)
	select {
	case p.wake <- struct{}{}:
	default: // awake already
	}
}

// forget lets go of a log that ends.
func (p *points) forget(l *Log) { p.note(l, 0, false) }

// next is a log whose recovery point is to be written, nil: none is.
func (p *points) next() *Log {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.queue) == 0 {
		p.mu.queue = nil
		return nil
	}
	l := p.mu.queue[0]
	p.mu.queue[0] = nil
	p.mu.queue = p.mu.queue[1:]
	delete(p.mu.queued, l)
	return l
}

// run writes what is queued until ctx ends; what is left then Close writes.
func (p *points) run(ctx context.Context) {
	for {
		for l := p.next(); l != nil && ctx.Err() == nil; l = p.next() {
			l.writePoint()
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

// writePoint writes a recovery point at the log's end.
func (l *Log) writePoint() {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	if l.Err() != nil {
		if l.syncer != nil {
			l.syncer.points.forget(l)
		}
		return
	}
	if err := l.checkpoint(); err != nil && !errors.Is(err, ErrFailed) {
		l.logger().Warn("writing a recovery point, the next one may succeed", "log", l.name, "error", err)
	}
	if l.syncer == nil {
		return
	}
	l.mu.RLock()
	since := l.mu.since
	l.mu.RUnlock()
	l.syncer.points.note(l, since, false)
}

// pointDue has the Syncer see to a recovery point after a sync; now says that the caller
// must, as there is none. The caller holds syncing, so the log does not end meanwhile.
func (l *Log) pointDue(due bool) (now bool) {
	l.mu.Lock()
	since := l.mu.since
	if l.syncer != nil {
		l.mu.due = false
	}
	l.mu.Unlock()
	if l.syncer == nil {
		return due
	}
	l.syncer.points.note(l, since, due)
	return false
}
