package agent

import (
	"sync"
	"time"
)

// limiter slows an input down to so many bytes a second over all its files. It allows
// debt: what was read is paid off before more is.
type limiter struct {
	mu struct {
		sync.Mutex
		rate  int64 // bytes a second; 0: unlimited
		until time.Time
	}
}

// set changes the rate.
func (l *limiter) set(rate int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.rate != rate {
		l.mu.rate, l.mu.until = rate, time.Time{}
	}
}

// spend notes that n bytes were read and answers when more may be; the zero time:
// at once.
func (l *limiter) spend(n int, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.rate <= 0 {
		return time.Time{}
	}
	if l.mu.until.Before(now) {
		l.mu.until = now
	}
	l.mu.until = l.mu.until.Add(time.Duration(float64(n) / float64(l.mu.rate) * float64(time.Second)))
	return l.mu.until
}

// blocked answers until when nothing may be read; the zero time: it may.
func (l *limiter) blocked(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.rate <= 0 || !l.mu.until.After(now) {
		return time.Time{}
	}
	return l.mu.until
}
