package agent

import (
	"sync/atomic"
	"testing"
)

func TestTheMemoryThatIsNeededFollowsTheBudgetAndWhatIsAlive(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ budget, alive, want int64 }{
		{64 * mib, 10 * mib, 96 * mib}, {64 * mib, 40 * mib, 96 * mib}, {64 * mib, 300 * mib, 407 * mib}, {8 * mib, 0, 40 * mib},
	} {
		if got := needs(c.budget, c.alive); got != c.want {
			t.Errorf("with a budget of %d and %d alive %d bytes are needed, want %d", c.budget, c.alive, got, c.want)
		}
	}
}

func TestWhoLimitsTheRuntimeIsToldWhatIsNeeded(t *testing.T) {
	h := newHouse(t, oneTopic)
	var told atomic.Int64
	h.change = func(c *Config) { c.Memory, c.NeedsMemory = 16<<20, told.Store }
	h.input("web", "web_log", "*.log", "")
	h.start()
	h.until(func() bool { return told.Load() >= 48<<20 }, func() string { return "nobody is told how much memory is needed" })
}
