package commitlog

import (
	"context"
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// waves are those who wait for the disk, by the sync that serves them, so that each
// sync wakes all whom it serves at once and nobody else. Guarded by Log.mu.
type waves struct {
	now, next wave          // of the sync that runs, and of the one behind it
	until     record.Offset // the one that runs makes offsets below it durable
}

// wave is those whom one sync serves.
type wave struct {
	over    chan struct{} // closed when it is done; nil: nobody waits
	waiting int
}

// join returns what is closed when the sync is done that makes upTo durable, or the
// last but one before it.
func (w *waves) join(upTo record.Offset) <-chan struct{} {
	mine := &w.next
	if upTo < w.until {
		mine = &w.now
	}
	if mine.over == nil {
		mine.over = make(chan struct{})
	}
	mine.waiting++
	return mine.over
}

// begin says that a sync takes all offsets below until.
func (w *waves) begin(until record.Offset) {
	if w.now.over != nil { // of one that was given up
		close(w.now.over)
	}
	w.now, w.next, w.until = w.next, wave{}, until
}

// end wakes those whom the sync served that took all below until, and says how many
// they are.
func (w *waves) end(until record.Offset) (released int) {
	if until < w.until {
		return 0
	}
	released = w.now.waiting
	if w.now.over != nil {
		close(w.now.over)
	}
	w.now = wave{}
	return released
}

// endAll wakes everybody.
func (w *waves) endAll() {
	for _, v := range []*wave{&w.now, &w.next} {
		if v.over != nil {
			close(v.over)
		}
		*v = wave{}
	}
}

// WaitDurable returns nil once the high watermark has passed upTo, the last
// offset of a batch; an ErrFailed when the log failed, ErrClosed when it was
// closed, ctx's error when that ends first.
func (l *Log) WaitDurable(ctx context.Context, upTo record.Offset) error {
	for {
		over, err := l.joinWave(upTo)
		if over == nil {
			return err
		}
		l.hurry()
		select {
		case <-over:
		case <-ctx.Done():
			return fmt.Errorf("waiting for offset %d of %s: %w", upTo, l.name, ctx.Err())
		}
	}
}

// Expect says that somebody is about to call WaitDurable: who waits for several logs, one
// after the other, has none of them rest meanwhile.
func (l *Log) Expect(upTo record.Offset) {
	if over, _ := l.joinWave(upTo); over != nil {
		l.hurry()
	}
}

// Settled says whether WaitDurable would return at once.
func (l *Log) Settled(upTo record.Offset) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.high > upTo || l.mu.err != nil
}

// joinWave is nil when there is nothing to wait for any more.
func (l *Log) joinWave(upTo record.Offset) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.mu.high > upTo:
		return nil, nil
	case l.mu.err != nil:
		return nil, fmt.Errorf("waiting for offset %d of %s: %w", upTo, l.name, l.mu.err)
	}
	return l.mu.waves.join(upTo), nil
}
