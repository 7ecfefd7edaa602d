package commitlog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// SyncerConfig steers a Syncer.
type SyncerConfig struct {
	Workers int                   // syncs at the same time; 0: 8
	Observe func(d time.Duration) // told how long each sync took; nil: nobody
	Whole   WholeDisk             // for windows of many logs; nil: each log is always synced by itself
	Behind  int64                 // bytes of all logs together that may lie behind their recovery points; 0: 2 GiB
}

// WholeDisk makes everything durable that was written to a file system before the call.
type WholeDisk interface {
	// Sync is one sync for all files. After an error it is not asked again.
	Sync() error
	// Holds says whether a folder lies on it.
	Holds(dir string) bool
	// Crowded says that others have so much unwritten there that Sync would write mostly for them.
	Crowded() bool
}

// Syncer is the group commit over all logs. Every append marks its log. An idle
// disk adds no wait: the first log that is marked is synced at once. What is
// appended while syncs run, by any number of connections to any number of logs,
// gathers for the next window, which window.go opens: a few logs are synced side by
// side, many by one sync of the whole disk. So the disk sets the window's length.
type Syncer struct {
	workers int
	observe func(time.Duration)
	whole   WholeDisk
	nap     func(time.Duration)
	points  *points
	ahead   atomic.Int32 // logs that have room laid out

	wholeSync sync.Mutex // held while the whole disk is synced; taken before mu

	mu struct {
		sync.Mutex
		queue   []*Log
		waiting int // appends to logs in the queue, or to logs that are being synced since their sync began
		running int // syncs going on
		easing  map[*Log]*time.Timer
		done    bool
		window  window
	}
	wake *sync.Cond // on mu
}

// turn says where a log stands with its Syncer.
type turn uint8

const (
	resting turn = iota // nothing to sync
	easing              // to be synced, but nobody waits for it: its timer puts it into the queue
	queued              // waits for a worker
	running             // a worker syncs it
	again               // a worker syncs it, and more was appended since it began
)

// round is what one worker syncs at a time.
type round struct {
	logs    []*Log
	whole   bool // by one sync of the whole disk
	appends int  // that it makes durable
}

// NewSyncer makes a Syncer; Run makes it work.
func NewSyncer(cfg SyncerConfig) *Syncer {
	s := &Syncer{workers: cfg.Workers, observe: cfg.Observe, whole: cfg.Whole, nap: nap, points: newPoints(cfg.Behind)}
	if s.workers <= 0 {
		s.workers = 8
	}
	if s.observe == nil {
		s.observe = func(time.Duration) {}
	}
	s.mu.easing = map[*Log]*time.Timer{}
	s.wake = sync.NewCond(&s.mu)
	return s
}

// Run syncs what is marked until ctx ends and nothing is left marked; stop the
// appends first. It owns its workers and returns nil.
func (s *Syncer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.mu.done = true
		for l := range s.mu.easing {
			s.queueLocked(l)
		}
		s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(s.work)
	}
	wg.Go(func() { s.points.run(ctx) })
	wg.Wait()
	return nil
}

// mark puts l in the queue unless it stands there already.
func (s *Syncer) mark(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.marks++
	s.mu.waiting++
	switch l.turn {
	case resting:
		s.queueLocked(l)
	case running:
		l.turn = again
	}
}

// queueLocked puts a log at the queue's end; the caller holds mu.
func (s *Syncer) queueLocked(l *Log) {
	if timer := s.mu.easing[l]; timer != nil {
		timer.Stop()
		delete(s.mu.easing, l)
		l.eased.Store(false)
	}
	l.turn = queued
	s.mu.queue = append(s.mu.queue, l)
	s.signalLocked()
}

// signalLocked wakes a worker for the queue; one that takes from it already will do
// so itself. The caller holds mu.
func (s *Syncer) signalLocked() {
	if !s.mu.window.taking {
		s.wake.Signal()
	}
}

// work syncs one round after the other.
func (s *Syncer) work() {
	for r := s.take(); len(r.logs) > 0; r = s.take() {
		if !r.whole {
			s.syncRound(&r, r.logs[0].sync)
			continue
		}
		var held []*Log
		s.syncRound(&r, func() (released int) {
			r.logs, held, released = s.syncWhole(r.logs)
			return released
		})
		for _, l := range held { // the others do not wait for these
			s.mu.Lock()
			s.mu.running++
			s.mu.Unlock()
			s.syncRound(&round{logs: []*Log{l}}, l.sync)
		}
	}
}

// syncRound does the syncs of a round and ends it.
func (s *Syncer) syncRound(r *round, sync func() (released int)) {
	began := time.Now()
	released := sync()
	took := time.Since(began)
	s.observe(took)
	s.finish(*r, released, took)
}

// take waits for what is to be synced next; an empty round: the Syncer ends.
func (s *Syncer) take() round {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.mu.queue) == 0 || s.mu.window.taking {
		if s.mu.done && len(s.mu.queue) == 0 && !s.mu.window.taking {
			return round{}
		}
		s.wake.Wait()
	}
	s.mu.window.taking = true // the queue only grows meanwhile
	n := s.gather()
	s.mu.window.taking = false
	r := round{logs: s.mu.queue[:n:n], whole: n > 1}
	if s.mu.queue = s.mu.queue[n:]; len(s.mu.queue) == 0 {
		s.mu.queue = nil
	}
	for _, l := range r.logs {
		l.turn = running
		r.appends += l.marks
		l.marks = 0
	}
	s.mu.waiting -= r.appends
	s.mu.running++
	switch {
	case s.mu.done:
		s.wake.Broadcast() // those who have nothing to do end
	case len(s.mu.queue) > 0:
		s.wake.Signal()
	}
	return r
}

// finish puts the logs of a round back to rest, or in the queue again.
func (s *Syncer) finish(r round, released int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.running--
	s.endWindow(r, released, took)
	for _, l := range r.logs {
		switch {
		case l.turn != again:
			l.turn = resting
		case released > 0 || !s.ease(l, took):
			s.queueLocked(l)
		}
	}
	if len(s.mu.queue) > 0 {
		s.signalLocked()
	}
}
