package handle

import "time"

const (
	changeTime = 30 * time.Second // for a request that changes or looks through many things and does not say how long it may
	lastMoment = time.Second      // of such a request when the broker goes down
)

// spell is the time that a request with many parts has. It is worked on where its connection is read, beside room for
// large requests that others wait for, and the end of the broker waits for it.
type spell struct {
	began, until time.Time
	draining     <-chan struct{}
}

// spell begins the time of a request.
func (h *Handlers) spell(d time.Duration) spell {
	now := time.Now()
	return spell{now, now.Add(d), h.draining}
}

// patience is how long a request may take that says so in milliseconds.
func patience(ms int32) time.Duration {
	return max(time.Duration(ms)*time.Millisecond, leastPatience)
}

// over says that the parts that are left are not worked on any more.
func (s *spell) over() bool {
	select {
	case <-s.draining:
		return time.Since(s.began) > lastMoment
	default:
		return time.Now().After(s.until)
	}
}

// late is the error of such a part.
func (s *spell) late() error {
	if !s.over() {
		return nil
	}
	return coded(errRequestTimedOut, "The request's time was over before this one's turn came: ask again for what is left.")
}
