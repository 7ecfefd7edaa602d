package diskroom

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestNothingGoesForABatchThatCanNeverCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget, OnFull: DropOldest})
		l := w.add("web_log", 0, false)
		defer w.run()()
		for range 100 {
			if err := w.produce("web_log", l, 1, batch); err != nil {
				t.Fatal(err)
			}
		}
		w.wantRefusal(w.produce("web_log", l, 1, budget), "a batch of 20.0 MiB", "smaller")
		time.Sleep(2 * lookEvery)
		if why, blocked := w.room.Blocked(); blocked || l.begin() != 0 {
			t.Errorf("the log begins at %d, and others are refused: %q", l.begin(), why)
		}
	})
}

func TestAGroupThatComesWhileTheDiskIsWaitedForLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		l.slow, l.most = true, 0
		l.waiting = func() { w.commit("late", "web_log", 0, 0) }
		w.commit("g", "web_log", 0, 1<<40)
		defer w.run()()
		_, err := w.fill("web_log", l, batch)
		w.wantRefusal(err, "group late has still to commit")
		if l.begin() != 0 {
			t.Errorf("the log begins at %d, group late has committed 0", l.begin())
		}
	})
}

func TestAGroupLivesByTheClockThatIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := 30 * 24 * time.Hour // the wall clock has jumped by so much
		w := newWorld(t, Config{Budget: budget, Now: func() time.Time { return time.Now().Add(-behind) }})
		l := w.add("web_log", 0, false)
		w.commit("slow", "web_log", 0, 0)
		w.claims["slow"].LastCommit = time.Now().Add(-behind - time.Hour)
		w.commit("fast", "web_log", 0, 1<<40)
		defer w.run()()
		_, err := w.fill("web_log", l, batch)
		w.wantRefusal(err, "group slow has still to commit", "it has committed 1 h ago")
		if l.begin() != 0 {
			t.Errorf("the log begins at %d, group slow has committed 0", l.begin())
		}
	})
}

func TestHowManyBlockIsSaidHoweverManyAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		for i := range int32(mostBlockers + 50) {
			l := w.add("web_log", i, false)
			l.append(1, budget/mostBlockers)
			w.commit("g", "web_log", i, 0)
		}
		defer w.run()()
		time.Sleep(2 * lookEvery)
		w.wantRefusal(w.room.Admit("web_log", budget/2), "group g has still to commit 1 records", fmt.Sprintf("(and %d more,", mostBlockers+49))
		if n := len(w.room.State().Blocked); n != mostBlockers {
			t.Errorf("%d are named, want %d", n, mostBlockers)
		}
	})
}
