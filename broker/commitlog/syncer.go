package commitlog

import (
	"context"
	"sync"
	"time"
)

// SyncerConfig steers a Syncer.
type SyncerConfig struct {
	Workers int                   // logs synced at the same time; 0: 8
	Observe func(d time.Duration) // told how long each sync of a log took; nil: nobody
}

// Syncer is the group commit over all logs. Every append marks its log; a log
// that is marked is synced at once if a worker is free, and what is appended to
// it while it is being synced, by any number of connections, gathers for one next
// sync. So an idle disk adds no wait, and a busy one sets the window's length.
type Syncer struct {
	workers int
	observe func(time.Duration)
	mu      struct {
		sync.Mutex
		queue []*Log
		done  bool
	}
	wake *sync.Cond // on mu
}

// turn says where a log stands with its Syncer.
type turn uint8

const (
	resting turn = iota // nothing to sync
	queued              // waits for a worker
	running             // a worker syncs it
	again               // a worker syncs it, and more was appended since it began
)

// NewSyncer makes a Syncer; Run makes it work.
func NewSyncer(cfg SyncerConfig) *Syncer {
	s := &Syncer{workers: cfg.Workers, observe: cfg.Observe}
	if s.workers <= 0 {
		s.workers = 8
	}
	if s.observe == nil {
		s.observe = func(time.Duration) {}
	}
	s.wake = sync.NewCond(&s.mu)
	return s
}

// Run syncs what is marked until ctx ends and nothing is left marked; stop the
// appends first. It owns its workers and returns nil.
func (s *Syncer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.mu.done = true
		s.mu.Unlock()
		s.wake.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(s.work)
	}
	wg.Wait()
	return nil
}

// mark puts l in the queue unless it stands there already.
func (s *Syncer) mark(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l.turn {
	case resting:
		l.turn = queued
		s.mu.queue = append(s.mu.queue, l)
		s.wake.Signal()
	case running:
		l.turn = again
	}
}

// work syncs one log after the other.
func (s *Syncer) work() {
	for l := s.take(); l != nil; l = s.take() {
		began := time.Now()
		l.sync()
		s.observe(time.Since(began))
		s.finish(l)
	}
}

// take waits for a log; nil: the Syncer ends.
func (s *Syncer) take() *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.mu.queue) == 0 {
		if s.mu.done {
			return nil
		}
		s.wake.Wait()
	}
	l := s.mu.queue[0]
	s.mu.queue[0] = nil
	s.mu.queue = s.mu.queue[1:]
	l.turn = running
	return l
}

func (s *Syncer) finish(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.turn == again {
		l.turn = queued
		s.mu.queue = append(s.mu.queue, l)
		s.wake.Signal()
		return
	}
	l.turn = resting
}
