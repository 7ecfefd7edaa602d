package worker

import (
	"context"
	"sync"
)

// share is a number of bytes that is taken and given back; who cannot have his waits his turn. Its size may change
// while it is in use.
type share struct {
	mu struct {
		sync.Mutex
		size    int64
		used    int64
		waiting []*claim // in the order they came
	}
}

// claim is somebody who waits.
type claim struct {
	n     int64
	ready chan error // gets one value: nil, or ErrOverBudget
}

func newShare(size int64) *share {
	s := &share{}
	s.mu.size = size
	return s
}

// acquire waits for n bytes.
func (s *share) acquire(ctx context.Context, n int64) error {
	s.mu.Lock()
	if n > s.mu.size {
		s.mu.Unlock()
		return ErrOverBudget
	}
	if len(s.mu.waiting) == 0 && s.mu.used+n <= s.mu.size {
		s.mu.used += n
		s.mu.Unlock()
		return nil
	}
	c := &claim{n: n, ready: make(chan error, 1)}
	s.mu.waiting = append(s.mu.waiting, c)
	s.mu.Unlock()
	select {
	case err := <-c.ready:
		return err
	case <-ctx.Done():
		s.abandon(c)
		return ctx.Err()
	}
}

// abandon takes a claim out, or gives back what it was granted at the last moment.
func (s *share) abandon(c *claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.mu.waiting {
		if other == c {
			s.mu.waiting = append(s.mu.waiting[:i:i], s.mu.waiting[i+1:]...)
			s.grant()
			return
		}
	}
	if err := <-c.ready; err == nil {
		s.mu.used -= c.n
		s.grant()
	}
}

// try takes n bytes if they are free and nobody waits.
func (s *share) try(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.waiting) > 0 || s.mu.used+n > s.mu.size {
		return false
	}
	s.mu.used += n
	return true
}

// release gives n bytes back.
func (s *share) release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.used -= n
	s.grant()
}

// resize changes the size; what is held above a smaller one is waited out.
func (s *share) resize(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.size = size
	s.grant()
}

// grant serves those who wait, in order; s.mu is held.
func (s *share) grant() {
	for len(s.mu.waiting) > 0 {
		c := s.mu.waiting[0]
		switch {
		case c.n > s.mu.size:
			c.ready <- ErrOverBudget
		case s.mu.used+c.n <= s.mu.size:
			s.mu.used += c.n
			c.ready <- nil
		default:
			return
		}
		s.mu.waiting = s.mu.waiting[1:]
	}
}

// pressed says that somebody waits: whoever can let go of something early should.
func (s *share) pressed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.waiting) > 0
}

func (s *share) limit() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.size
}

func (s *share) inUse() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.used
}
