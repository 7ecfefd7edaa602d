package agent

import (
	"sync"
	"time"
)

const (
	shareEvery = 10 * time.Millisecond  // how old a measurement may be
	shareSpare = 200 * time.Millisecond // how much unused time is kept for a burst
	shareMost  = time.Second            // the longest pause before it is measured again
)

// cpuShare keeps the process within a share of one core: what reads is made to wait
// until the processor time that the process has used is paid off.
type cpuShare struct {
	share float64 // of a core; 0: unlimited
	spent func() (time.Duration, bool)

	mu struct {
		sync.Mutex
		at     time.Time     // of the last measurement, zero before the first
		spent  time.Duration // at that time
		unused time.Duration // negative: a debt
	}
}

// blocked answers until when nothing may be read; the zero time: it may.
func (c *cpuShare) blocked(now time.Time) time.Time {
	if c.share <= 0 {
		return time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := now.Sub(c.mu.at); c.mu.at.IsZero() || since >= shareEvery {
		spent, ok := c.spent()
		if !ok {
			return time.Time{} // the system does not say
		}
		if !c.mu.at.IsZero() {
			c.mu.unused += time.Duration(c.share*float64(since)) - (spent - c.mu.spent)
			c.mu.unused = min(c.mu.unused, time.Duration(c.share*float64(shareSpare)))
		}
		c.mu.at, c.mu.spent = now, spent
	}
	if c.mu.unused >= 0 {
		return time.Time{}
	}
	return now.Add(min(time.Duration(float64(-c.mu.unused)/c.share), shareMost))
}
