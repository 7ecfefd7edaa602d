package diskroom

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

const (
	budget = 20 << 20
	batch  = 32 << 10
)

func TestABatchWaitsForTheDeletionThatMakesRoomForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		w.commit("g", "web_log", 0, 1<<40) // has read whatever comes
		defer w.run()()
		for i := range 4 * budget / batch {
			if err := w.produce("web_log", l, 1, batch); err != nil {
				t.Fatalf("batch %d: %v", i, err)
			}
		}
		if n := l.bytes(); n > budget*95/100 {
			t.Errorf("%d bytes are there, want no more than clients may have of %d", n, budget)
		}
		if w.count("used up") != 0 {
			t.Error("it was said that the budget is used up")
		}
	})
}

func TestWhoIsBehindBlocksUntilItHasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l, other := w.add("web_log", 0, false), w.add("other", 0, false)
		w.commit("fast", "web_log", 0, 1<<40)
		w.commit("slow", "web_log", 0, 10)
		w.commit("fast", "other", 0, 1<<40)
		other.append(100, 1<<20)
		defer w.run()()
		n, err := w.fill("web_log", l, batch)
		w.wantRefusal(err, "group slow has still to commit", "records of web_log-0", "it has committed a moment ago", "loghaul group delete slow --yes")
		if _, ok := errors.AsType[*RefusedError](err); !ok {
			t.Errorf("%T, want a *RefusedError", err)
		}
		if l.begin() > 10 || l.end() != record.Offset(n) {
			t.Errorf("the log holds %d to %d, want all from 10 to %d", l.begin(), l.end(), n)
		}
		if other.bytes() != 0 {
			t.Error("what every group had committed is still there, while others are refused")
		}
		if s := w.room.State(); len(s.Blocked) != 1 || s.Blocked[0].Group != "slow" || s.Blocked[0].Lag != int64(n-10) {
			t.Errorf("blocked is %+v, want the one that is behind", s.Blocked)
		}
		if why, blocked := w.room.Blocked(); !blocked || !strings.Contains(why, "slow") {
			t.Errorf("Blocked says %q, %v", why, blocked)
		}
		began := time.Now()
		if err := w.produce("web_log", l, 1, 1); err == nil || time.Since(began) != 0 {
			t.Errorf("the next batch got %v after %s, want a refusal at once", err, time.Since(began))
		}
		w.commit("slow", "web_log", 0, l.end())
		time.Sleep(2 * lookEvery)
		if err := w.produce("web_log", l, 1, batch); err != nil {
			t.Errorf("after the commit: %v", err)
		}
		if w.count("group slow has still to commit") != 1 || w.count("writing goes on") != 1 {
			t.Errorf("want one line for the wall and one for its end:\n%s", w.lines.String())
		}
	})
}

func TestTheOneThatHoldsMostIsNamedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		few, many := w.add("a_few", 0, false), w.add("many", 3, false)
		w.commit("first", "a_few", 0, 0)
		w.commit("second", "many", 3, 1)
		few.append(1000, 3<<20)
		defer w.run()()
		_, err := w.fill("many", many, batch)
		w.wantRefusal(err, "group second has still to commit", "many-3", "(and 1 more, see loghaul status groups)")
		s := w.room.State()
		if len(s.Blocked) != 2 || s.Blocked[1].Group != "first" || s.Blocked[1].Lag != 1000 || s.Blocked[1].Bytes < 3<<20 {
			t.Errorf("blocked is %+v", s.Blocked)
		}
	})
}

func TestManySmallLogsAreSealedWhenTheirRecordsMustGo(t *testing.T) {
	for _, policy := range []OnFull{Block, DropOldest} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Budget: budget, OnFull: policy})
			var logs []*fakeLog
			for i := range int32(100) { // none is large
				logs = append(logs, w.add("web_log", i, false))
				logs[i].slow = true
				w.commit("g", "web_log", i, 1<<40)
			}
			defer w.run()()
			for i := range 3 * budget / batch {
				if err := w.produce("web_log", logs[i%len(logs)], 1, batch); err != nil {
					t.Fatalf("%s: batch %d: %v", policy, i, err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestNobodyIsToldOfAWallThatNobodyHasMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		m := marksOf(budget)
		defer w.run()()
		if err := w.produce("web_log", l, 1, int(m.resume+m.limit)/2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * lookEvery)
		if why, blocked := w.room.Blocked(); blocked {
			t.Errorf("clients are refused: %s", why)
		}
		if err := w.produce("web_log", l, 1, 1); err != nil {
			t.Error(err)
		}
	})
}

func TestABatchLargerThanTheGapBlocksUntilItFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		m := marksOf(budget)
		w.commit("g", "web_log", 0, 0)
		defer w.run()()
		if err := w.produce("web_log", l, 1, int(m.resume)); err != nil {
			t.Fatal(err)
		}
		w.wantRefusal(w.produce("web_log", l, 1, 1<<20), "group g has still to commit")
		time.Sleep(5 * lookEvery)
		w.wantRefusal(w.produce("web_log", l, 1, 1<<20), "group g has still to commit")
		if w.count("writing goes on") != 0 {
			t.Error("it was said that writing goes on, and what was refused does not fit")
		}
		time.Sleep(restEvery + 2*lookEvery) // whoever brought it is gone: others fit
		if err := w.produce("web_log", l, 0, 1); err != nil {
			t.Error(err)
		}
		w.commit("g", "web_log", 0, 1)
		_ = w.produce("web_log", l, 1, 1<<20) // who asks has the room looked at
		time.Sleep(lookEvery / 5)
		if err := w.produce("web_log", l, 1, 1<<20); err != nil {
			t.Error(err)
		}
	})
}

func TestATopicWithoutReadersBlocksByItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		w.commit("gone", "web_log", 0, 1<<40)
		w.mu.Lock()
		w.claims["gone"].LastCommit = time.Now().Add(-8 * 24 * time.Hour)
		w.mu.Unlock()
		defer w.run()()
		_, err := w.fill("web_log", l, batch)
		w.wantRefusal(err, "nobody reads topic web_log", "group gone has no members", "loghaul topic trim web_log --before end")
		if l.begin() != 0 {
			t.Errorf("the log begins at %d: something was deleted", l.begin())
		}
		s := w.room.State()
		if len(s.Blocked) != 1 || s.Blocked[0].Group != "" || s.Blocked[0].Topic != "web_log" || s.Blocked[0].Partition != -1 {
			t.Errorf("blocked is %+v", s.Blocked)
		}
	})
}

func TestNothingIsTakenFromStateAndFromTablesOfKeys(t *testing.T) {
	for _, policy := range []OnFull{Block, DropOldest} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Budget: budget, OnFull: policy})
			table := w.add("table", 0, true)
			w.commit("g", "table", 0, 1<<40)
			defer w.run()()
			_, err := w.fill("table", table, batch)
			w.wantRefusal(err, "nothing more may be deleted", "raise --disk-budget")
			if table.begin() != 0 {
				t.Errorf("%s: the table begins at %d", policy, table.begin())
			}
		})
	}
}

func TestDeadLettersGoLastAndWriteFromTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l, letters, named := w.add("web_log", 0, false), w.add("web_log.dlq", 0, false), w.add("bad", 0, false)
		w.commit("g", "web_log", 0, 0)
		w.sinks = []Sink{{Name: "es", Group: "es", Letters: func(topic string) bool { return topic == "bad" }}}
		defer w.run()()
		if _, err := w.fill("web_log", l, batch); err == nil {
			t.Fatal("no refusal")
		}
		for range 8 {
			if err := errors.Join(w.produce("web_log.dlq", letters, 1, batch), w.produce("bad", named, 1, batch)); err != nil {
				t.Fatalf("a dead letter: %v", err)
			}
		}
		_, err := w.fill("bad", named, batch)
		w.wantRefusal(err, "the reserve for dead letters too")
		if used := w.room.Used(); used > budget || used < budget-batch {
			t.Errorf("%d bytes are used, want all of %d", used, budget)
		}
	})
	shelves := []*shelf{{Partition: Partition{Topic: "web_log.dlq"}, letter: true}, {Partition: Partition{Topic: "web_log"}}}
	for i, s := range shelves {
		l := newFakeLog()
		l.append(1, 100*(2-i))
		_ = l.Seal()
		_ = l.WaitDurable(t.Context(), 0)
		s.pieces = l.Pieces(nil)
	}
	if plan := planDrop(shelves, 150); len(plan) != 2 || plan[0].shelf.Topic != "web_log" {
		t.Errorf("the plan is %v, want dead letters last although there are more of them", plan)
	}
}

func TestDropOldestRefusesNobodyAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget, OnFull: DropOldest, Lost: func() any { return []string{"x"} }})
		small, large := w.add("small", 0, false), w.add("large", 0, false)
		w.commit("g", "large", 0, 0)
		small.append(10, 1<<20)
		defer w.run()()
		for i := range 3 * budget / batch {
			if err := w.produce("large", large, 2, batch); err != nil {
				t.Fatalf("batch %d: %v", i, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if small.begin() != 0 {
			t.Error("the smaller topic lost something")
		}
		var s struct {
			Dropped []Dropped
			Lost    []string
			Budget  int64
			OnFull  string `json:"on_full"`
		}
		if err := json.Unmarshal([]byte(w.room.Report(t.Context())), &s); err != nil {
			t.Fatal(err)
		}
		if len(s.Dropped) != 1 || s.Dropped[0].Topic != "large" || s.Dropped[0].Records != int64(large.begin()) || s.Dropped[0].Bytes < budget {
			t.Errorf("dropped is %+v, the log begins at %d", s.Dropped, large.begin())
		}
		if len(s.Lost) != 1 || s.Budget != budget || s.OnFull != "drop-oldest" {
			t.Errorf("the report is %s", w.room.Report(t.Context()))
		}
		if w.count("dropped the oldest records") == 0 {
			t.Error("nobody was told")
		}
		// What goes at a time is a small part of the budget, not the whole log.
		if n := large.bytes(); n < budget*3/4 {
			t.Errorf("%d bytes are left of a budget of %d", n, budget)
		}
	})
}

func TestSinksThatAreNotKnownYetHoldEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		w.commit("g", "web_log", 0, 1<<40)
		w.known = false
		defer w.run()()
		_, err := w.fill("web_log", l, batch)
		w.wantRefusal(err, "does not know yet which sinks there are", "or a minute is over")
		if strings.Contains(err.Error(), "--etcd") {
			t.Errorf("clients are told how to start a broker: %v", err)
		}
		if l.begin() != 0 {
			t.Error("something was deleted")
		}
		w.mu.Lock()
		w.known = true
		w.mu.Unlock()
		time.Sleep(2 * lookEvery)
		if err := w.produce("web_log", l, 1, batch); err != nil {
			t.Errorf("when they are known: %v", err)
		}
	})
}

func TestALogThatCannotBeSealedOrDeletedBlocksNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		bad, good := w.add("bad", 0, false), w.add("good", 0, false)
		w.commit("g", "bad", 0, 1<<40)
		w.commit("g", "good", 0, 1<<40)
		bad.append(10, budget/4)
		bad.broken = errors.New("it failed")
		defer w.run()()
		for i := range 3 * budget / batch {
			if err := w.produce("good", good, 1, batch); err != nil {
				t.Fatalf("batch %d: %v", i, err)
			}
		}
	})
}

func TestClientsOfARoomThatHasEndedAreRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		began := time.Now()
		if err := w.produce("web_log", l, 1, 1); err == nil || time.Since(began) != patience {
			t.Errorf("before anything was measured: %v after %s, want a refusal after %s", err, time.Since(began), patience)
		}
		w.run()()
		began = time.Now()
		if err := w.produce("web_log", l, 1, budget); err == nil || time.Since(began) != 0 {
			t.Errorf("after the end: %v after %s, want a refusal at once", err, time.Since(began))
		}
	})
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	for _, c := range []Config{{Budget: 1}, {Budget: -1}, {OnFull: "x"}, {OnFull: DropOldest}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
