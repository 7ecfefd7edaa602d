package diskroom

import (
	"sync"
	"time"
)

const (
	sayAgain = 10 * time.Second // from the second change of a reason on, the least between two lines about it
	sayMost  = 10 * time.Minute // and when they change again and again
)

// sayer decides when a reason is worth another line of the log: when it is another one than was said last, and at a pace
// that slows down, because groups may take turns for hours.
type sayer struct {
	sync.Mutex
	key  string
	at   time.Time
	pace time.Duration
}

// first takes in a reason that is said whatever was before.
func (s *sayer) first(key string) {
	s.Lock()
	defer s.Unlock()
	s.key, s.at, s.pace = key, time.Now(), 0
}

// another says whether a reason is to be said: it is not the one that was said last, and that was some time ago.
func (s *sayer) another(key string) bool {
	s.Lock()
	defer s.Unlock()
	if key == s.key || time.Since(s.at) < s.pace {
		return false
	}
	s.key, s.at, s.pace = key, time.Now(), min(max(2*s.pace, sayAgain), sayMost)
	return true
}

// again says whether what was said may be said once more.
func (s *sayer) again() bool {
	s.Lock()
	defer s.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < sayMost {
		return false
	}
	s.at = time.Now()
	return true
}
