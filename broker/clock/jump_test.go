package clock

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

// world is a machine whose clock can be set.
type world struct {
	t       *testing.T
	dir     string
	wall    time.Time
	running time.Duration
	said    bytes.Buffer
}

func newWorld(t *testing.T) *world {
	return &world{t: t, dir: t.TempDir(), wall: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)}
}

func (w *world) start() *Clock {
	return New(Config{Dir: w.dir, Logger: slog.New(slog.NewTextHandler(&w.said, nil)), Now: func() time.Time { return w.wall }, Running: func() time.Duration { return w.running }})
}

func (w *world) pass(d time.Duration) { w.wall, w.running = w.wall.Add(d), w.running+d }

// want says what is wrong unless the clock tells that time and so many lines were said since the last call.
func (w *world) want(c *Clock, when time.Time, lines int) {
	w.t.Helper()
	if got := c.Now(); !got.Equal(when) {
		w.t.Errorf("the believed time is %s, want %s", got, when)
	}
	if n := strings.Count(w.said.String(), "\n"); n != lines {
		w.t.Errorf("%d lines, want %d:\n%s", n, lines, w.said.String())
	}
	w.said.Reset()
}

func TestAnOrdinaryClockIsBelieved(t *testing.T) {
	w := newWorld(t)
	c := w.start()
	for range 30 {
		w.pass(5 * time.Minute)
		w.want(c, w.wall, 0)
	}
	w.wall = w.wall.Add(40 * time.Second) // a correction over the network
	w.want(c, w.wall, 0)
	w.wall = w.wall.Add(3 * 24 * time.Hour) // stopped over a weekend
	w.want(w.start(), w.wall, 0)
}

func TestAYearAheadIsNotBelievedForADay(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t)
		c := w.start()
		w.want(c, w.wall, 0)
		before := w.wall
		w.wall = w.wall.Add(year)
		if restart {
			w.running = 0
			c = w.start()
		}
		w.want(c, before, 1)
		w.pass(23 * time.Hour)
		w.want(c, before.Add(23*time.Hour), 0)
		w.pass(time.Hour)
		w.want(c, w.wall, 1)
	}
}

func TestAClockThatIsSetRightInTimeChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.start()
	w.want(c, w.wall, 0)
	w.wall = w.wall.Add(year)
	w.want(c, w.wall.Add(-year), 1)
	w.pass(time.Hour)
	w.wall = w.wall.Add(-year)
	w.want(c, w.wall, 1)
	w.pass(48 * time.Hour)
	w.want(c, w.wall, 0)
}

func TestAYearBackIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	c := w.start()
	w.want(c, w.wall, 0)
	w.wall = w.wall.Add(-year)
	w.want(c, w.wall, 1)
	w.pass(time.Hour)
	w.want(c, w.wall, 0)
	w.wall = w.wall.Add(year) // and right again: not believed at once, which harms nothing
	w.want(c, w.wall.Add(-year), 1)
}

func TestADamagedFileCostsALine(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.want(w.start(), w.wall, 1)
	w.want(w.start(), w.wall, 0) // it has been written anew
}

// A machine without a battery starts in 1970 each time, and the network sets its clock a little later: nothing is deleted
// before that, and all goes on as before after it.
func TestAClockThatIsSetLateIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.want(w.start(), w.wall, 0)
	for range 3 {
		right := w.wall.Add(3 * time.Hour)
		w.wall, w.running = time.Unix(12, 0), 0
		c := w.start()
		w.want(c, w.wall, 1)
		w.pass(10 * time.Minute)
		w.want(c, w.wall, 0)
		w.wall = right
		w.want(c, right, 1)
		w.pass(time.Hour)
		w.want(c, w.wall, 0)
		w.want(w.start(), w.wall, 0)
	}
}

func TestAClockThatIsSetLateInANewFolderIsBelieved(t *testing.T) {
	w := newWorld(t)
	right := w.wall
	w.wall = time.Unix(0, 0)
	c := w.start()
	w.want(c, w.wall, 1)
	w.wall = right
	w.want(c, right, 1)
	w.want(w.start(), right, 0)
}

// A machine that was off for a long time and is switched off each night since must come to believe its clock.
func TestTheDayOfNotBelievingGoesOnAfterARestart(t *testing.T) {
	w := newWorld(t)
	before := w.wall
	w.want(w.start(), before, 0)
	w.wall = w.wall.Add(year)
	for night := range 3 {
		w.running = 0
		c := w.start()
		w.want(c, w.wall.Add(-year), 1)
		w.pass(8 * time.Hour)
		if night == 2 {
			w.want(c, w.wall, 1)
			break
		}
		w.want(c, w.wall.Add(-year), 0)
		w.wall = w.wall.Add(16 * time.Hour) // off
	}
	w.running = 0
	w.want(w.start(), w.wall, 0)
}

func FuzzWhatWasSeen(f *testing.F) {
	f.Add("2026-08-01T12:00:00Z\nbehind 8760h0m0s held 7h30m0s\n")
	f.Add("2026-08-01T12:00:00Z\n")
	f.Add("2026-08-01T12:00:00Z\nbehind -1h held 99999h\n")
	f.Fuzz(func(t *testing.T, content string) {
		s, err := parseSight(content)
		if err != nil {
			return
		}
		if s.behind < 0 || s.held < 0 || s.held > hold {
			t.Errorf("%q is read as %+v", content, s)
		}
	})
}
