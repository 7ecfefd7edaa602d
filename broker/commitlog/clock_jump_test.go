package commitlog

import (
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

// jumped is a log of three segments of the present, of which the last is the active one.
func jumped(t *testing.T, c *clock) *Log {
	t.Helper()
	l := open(t, logDir(t), Config{SegmentBytes: 100, RetentionAge: 7 * 24 * time.Hour, Now: c.Now})
	for _, value := range []string{"a", "b", "c"} {
		appendTo(t, l, plain(t, value))
	}
	return l
}

// wantAll says that the three records are there; a clock that jumps may end the active segment early.
func wantAll(t *testing.T, l *Log) {
	t.Helper()
	if l.Start() != 0 {
		t.Fatalf("the log begins at offset %d, want 0", l.Start())
	}
}

func wantNothing(t *testing.T, l *Log) {
	t.Helper()
	if l.Start() != 3 {
		t.Fatalf("the log begins at offset %d, want 3", l.Start())
	}
}

// A broker that was off for a year does not believe its clock for a day. What was written that day is not a year old
// after it.
func TestWhatIsWrittenWhileTheClockIsNotBelievedIsKept(t *testing.T) {
	c := newClock()
	l := jumped(t, c)
	for range 24 {
		if err := l.Retain(c.now.Add(-year)); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
	}
	retain(t, l, c)
	wantAll(t, l)
	c.advance(8 * 24 * time.Hour)
	retain(t, l, c)
	wantNothing(t, l)
}

func TestAClockThatWentBackForAWhileMakesNothingOld(t *testing.T) {
	c := newClock()
	l := jumped(t, c)
	for _, back := range []time.Duration{year, 56 * year} {
		c.advance(-back)
		retain(t, l, c)
		c.advance(back)
		retain(t, l, c)
		wantAll(t, l)
	}
}

// What a clock ahead wrote is kept as long as the rest, counted from when that was seen.
func TestWhatAClockAheadWroteGoesInItsTime(t *testing.T) {
	c := newClock()
	c.advance(year)
	l := jumped(t, c)
	c.advance(-year)
	retain(t, l, c)
	c.advance(6 * 24 * time.Hour)
	retain(t, l, c)
	wantAll(t, l)
	c.advance(2 * 24 * time.Hour)
	retain(t, l, c)
	wantNothing(t, l)
}

// A machine without a battery starts in 1970.
func TestWhatAClockThatWasNotSetWroteCountsAsWrittenNow(t *testing.T) {
	c := newClock()
	right := c.now
	c.now = time.Unix(20, 0)
	l := jumped(t, c)
	retain(t, l, c)
	c.now = right
	retain(t, l, c)
	wantAll(t, l)
	c.advance(8 * 24 * time.Hour)
	retain(t, l, c)
	wantNothing(t, l)
}
