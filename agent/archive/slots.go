package archive

import (
	"errors"
	"sync"
)

// ErrBusy says that other archives take all the memory there is for them. It passes.
var ErrBusy = errors.New("as many archives are being read as the memory for them allows")

// Slots bounds the memory of all archives that are being read at once. A nil Slots
// bounds nothing. It is safe for concurrent use.
type Slots struct {
	mu struct {
		sync.Mutex
		free int64
		used int
	}
}

// NewSlots makes Slots of so many bytes. One archive is always let in.
func NewSlots(bytes int64) *Slots {
	s := &Slots{}
	s.mu.free = bytes
	return s
}

func (s *Slots) take(n int64) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.used > 0 && s.mu.free < n {
		return false
	}
	s.mu.free -= n
	s.mu.used++
	return true
}

func (s *Slots) give(n int64) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.free += n
	s.mu.used--
}
