package agent

import (
	"testing"
	"time"
)

func TestCPUIsPaidOffBeforeMoreIsRead(t *testing.T) {
	now, spent := time.Unix(1000, 0), time.Duration(0)
	c := &cpuShare{share: 0.25, spent: func() (time.Duration, bool) { return spent, true }}
	if !c.blocked(now).IsZero() {
		t.Fatal("reading is held up before anything was used")
	}
	// One core is there: whenever reading is allowed, all of it is used for 10 ms.
	const rounds = 4000
	began := now
	for range rounds {
		if until := c.blocked(now); !until.IsZero() {
			if until.Before(now) || until.Sub(now) > shareMost {
				t.Fatalf("reading is held up for %v", until.Sub(now))
			}
			now = until
			continue
		}
		now, spent = now.Add(10*time.Millisecond), spent+10*time.Millisecond
	}
	if share := float64(spent) / float64(now.Sub(began)); share > 0.27 || share < 0.23 {
		t.Errorf("%.3f of a core was used, 0.25 is allowed", share)
	}
	// What was not used is kept for a short while only.
	now = now.Add(time.Hour)
	idle := spent
	for c.blocked(now).IsZero() {
		now, spent = now.Add(10*time.Millisecond), spent+10*time.Millisecond
	}
	if burst := spent - idle; burst > 200*time.Millisecond {
		t.Errorf("an idle hour is made up for by %v at once", burst)
	}
}

func TestCPUWithoutAShareIsNotMeasured(t *testing.T) {
	c := &cpuShare{spent: func() (time.Duration, bool) { t.Error("measured"); return 0, false }}
	if !c.blocked(time.Now()).IsZero() {
		t.Error("reading is held up though nothing bounds it")
	}
}

func TestCPUThatTheSystemDoesNotTellHoldsNothingUp(t *testing.T) {
	c := &cpuShare{share: 0.1, spent: func() (time.Duration, bool) { return 0, false }}
	if !c.blocked(time.Now()).IsZero() {
		t.Error("reading is held up though nothing is known")
	}
	if got, ok := cpuSpent(); !ok || got <= 0 {
		t.Errorf("this system says %v, %t", got, ok)
	}
}
