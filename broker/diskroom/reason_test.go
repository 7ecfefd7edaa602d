package diskroom

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reported is what Report says of the moment it is asked.
func (w *world) reported() (s State) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.room.Report(w.t.Context())), &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestAnotherReasonForARefusalIsSaidAndShownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		l := w.add("web_log", 0, false)
		w.commit("slow", "web_log", 0, 0)
		w.commit("slower", "web_log", 0, 0)
		defer w.run()()
		taken, err := w.fill("web_log", l, batch)
		w.wantRefusal(err, "group slow has still to commit")
		if s := w.reported(); !strings.Contains(s.Why, "group slow has") || len(s.Blocked) != 2 {
			t.Errorf("shown is %+v, want both groups, slow first", s)
		}
		w.commit("slow", "web_log", 0, 1<<40)
		if s := w.reported(); !strings.Contains(s.Why, "group slower has") || len(s.Blocked) != 1 || s.Blocked[0].Group != "slower" {
			t.Errorf("right after the commit shown is %+v, want the other group", s)
		}
		for range 40 { // clients come again
			time.Sleep(lookEvery)
			_ = w.produce("web_log", l, 1, batch)
		}
		if n := w.count("for another reason now"); n != 1 || w.count("group slower has still to commit") != 1 {
			t.Errorf("%d lines say that the reason is another one, want one that names slower:\n%s", n, w.lines.String())
		}
		w.commit("slower", "web_log", 0, l.end())
		if s := w.reported(); s.Why != "" || len(s.Blocked) != 0 {
			t.Errorf("with nobody left shown is %+v", s)
		}
		if taken == 0 {
			t.Error("nothing was taken")
		}
	})
}

func TestReasonsThatTakeTurnsAreNotSaidForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Budget: budget})
		a, b := w.add("a", 0, false), w.add("b", 0, false)
		w.commit("ga", "a", 0, 0)
		w.commit("gb", "b", 0, 0)
		defer w.run()()
		a.append(1, budget*47/100)
		if _, err := w.fill("b", b, batch); err == nil {
			t.Fatal("nobody was refused")
		}
		for i := range int(40 * time.Minute / (5 * time.Second)) {
			if i%2 == 0 { // the other one holds more
				a.append(1, budget/50)
			} else {
				b.append(1, budget/50)
			}
			time.Sleep(5 * time.Second)
			_ = w.produce("a", a, 1, batch)
		}
		if n := w.count("for another reason now"); n < 4 || n > 15 {
			t.Errorf("%d lines in forty minutes, want some, and ever fewer", n)
		}
	})
}

func TestAReserveThatIsUsedUpIsSaidWithTheMend(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Ballast: 8192})
		defer w.run()()
		time.Sleep(lookEvery)
		w.setFree(8192) // with the ballast's room
		if !w.room.Relieve(10, errFull) {
			t.Error("the ballast's room is not offered")
		}
		const line = "the reserve for commits and transactions is used up"
		if w.count(line) != 0 {
			t.Errorf("said too early:\n%s", w.lines.String())
		}
		w.setFree(0)
		for range 1000 {
			if w.room.Relieve(10, errFull) {
				t.Fatal("a write is to be tried again where there is no room")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := w.count(line); n != 1 || w.count("COORDINATOR_NOT_AVAILABLE") != 1 || w.count("are free there; free space") != 2 {
			t.Errorf("%d lines, want one with the answer and the mend:\n%s", n, w.lines.String())
		}
	})
}

func TestADiskThatIsFullOfSomethingElseNowSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: "/srv"})
		defer w.run()()
		w.setFree(1 << 30)
		w.room.Relieve(10, errFull) // a quota
		if why, _ := w.room.Blocked(); !strings.Contains(why, "a quota is used up") {
			t.Errorf("refused with %q", why)
		}
		w.setFree(0)
		if s := w.reported(); !strings.Contains(s.Why, "the disk under /srv is full") {
			t.Errorf("shown is %q, want that of now", s.Why)
		}
		time.Sleep(time.Minute)
		if n := w.count("for another reason now"); n > 1 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestNothingNewIsBegunWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Dir: dir, Budget: budget, Ballast: 8192})
		l := w.add("web_log", 0, false)
		w.commit("g", "web_log", 0, 0)
		w.sinks = []Sink{{Name: "s", Group: "s", Letters: func(topic string) bool { return topic == "letters" }}}
		defer w.run()()
		time.Sleep(lookEvery)
		if err := w.room.Check("new"); err != nil {
			t.Errorf("with room: %v", err)
		}
		if _, err := w.fill("web_log", l, batch); err == nil {
			t.Fatal("nobody was refused")
		}
		w.wantRefusal(w.room.Check("new"), "group g has still to commit")
		for _, letters := range []string{"web_log.dlq", "letters"} {
			if err := w.room.Check(letters); err != nil {
				t.Errorf("%s, for dead letters: %v", letters, err)
			}
		}
		w.commit("g", "web_log", 0, l.end())
		time.Sleep(2 * lookEvery)
		if err := w.room.Check("new"); err != nil {
			t.Errorf("with room again: %v", err)
		}
		w.setFree(0)
		w.room.Relieve(10, errFull)
		w.wantRefusal(w.room.Check("new"), "is full")
		w.wantRefusal(w.room.Check("web_log.dlq"), "is full")
	})
}

func TestSmallFilesCountToo(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]int{"client-quotas.json": 100, ballastName: 5000, startName: 6000, "web_log-0/topic.properties": 30, "web_log-0/00.log": 7000,
		"web_log-0/00.timeindex": 80, "web_log-0/00.log.cleaned": 9000, "web_log-0/deeper/x": 11})
	for _, b := range []int64{0, budget} {
		t.Run(fmt.Sprint(b), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Config{Dir: dir, Budget: b})
				w.add("web_log", 0, false).append(10, 1000)
				defer w.run()()
				time.Sleep(2 * lookEvery)
				if s := w.reported(); s.Used != 1130 || s.Dir != dir {
					t.Errorf("used is %d under %s, want 1000 of the log, 100 and 30 beside it", s.Used, s.Dir)
				}
			})
		})
	}
}
