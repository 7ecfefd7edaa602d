package txn

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestARestartKeepsEveryState(t *testing.T) {
	film(t, Config{}, func(w *world) {
		empty, open, committed, aborted := w.init("empty"), w.init("open"), w.init("committed"), w.init("aborted")
		w.add("open", open, a0, b0)
		w.add("committed", committed, a0)
		w.end("committed", committed, true)
		w.add("aborted", aborted, a0)
		w.end("aborted", aborted, false)
		before := map[ID]Description{}
		for _, id := range []ID{"empty", "open", "committed", "aborted"} {
			before[id], _ = w.Describe(id)
		}
		w.crash(1 << 30)
		for id, want := range before {
			if got, err := w.Describe(id); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v (%v), before %v", id, got, err, want)
			}
		}
		if err := w.enters("open", open, b0); err != nil {
			t.Errorf("the open transaction does not go on: %v", err)
		}
		w.end("open", open, true)
		w.end("committed", committed, true)
		w.end("aborted", aborted, false)
		w.add("empty", empty, a0)
		next, err := w.wait(w.Init(again("committed", committed)))
		if err != nil || next.Epoch != committed.Epoch+1 {
			t.Errorf("going on after a restart: %v, %v", next, err)
		}
	})
}

func TestALostAnswerIsGivenAgainAfterARestart(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		next, err := w.wait(w.Init(again("x", who)))
		if err != nil {
			t.Fatal(err)
		}
		w.crash(1 << 30)
		if same, err := w.wait(w.Init(again("x", who))); err != nil || same != next {
			t.Fatalf("%v, %v, want %v", same, err, next)
		}
	})
}

// A crash after each record that a transaction writes: the end that was decided is told to all, one that was not is not.
func TestACrashAtEveryRecordEndsEachTransactionOnce(t *testing.T) {
	for _, commit := range []bool{true, false} {
		for n := 1; n <= 4; n++ { // Empty, Ongoing, Prepare, Complete
			film(t, Config{}, func(w *world) {
				who := w.init("x")
				w.add("x", who, a0, a1)
				w.at.set(func() { w.at.refuse = errors.New("the crash comes before the markers") })
				if n == 4 {
					w.at.set(func() { w.at.refuse = nil })
				}
				w.end("x", who, commit)
				w.at.set(func() { w.at.refuse = nil })
				w.log.mu.Lock()
				w.log.durable = 0 // what is cut off below was only written
				w.log.mu.Unlock()
				w.crash(n)
				decided := Marker{who, commit, 0}
				switch n {
				case 1:
					w.is("x", Empty)
					w.marked(a0)
				case 2:
					w.is("x", Ongoing)
					w.marked(a0)
					w.end("x", who, commit)
					fallthrough
				case 3, 4:
					w.marked(a0, decided)
					w.marked(a1, decided)
					w.end("x", who, commit)
					w.refuses(w.End("x", who, !commit), ErrInvalidTxnState)
				}
			})
		}
	}
}

func TestAnOpenTransactionTimesOutAfterARestartToo(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		time.Sleep(30 * time.Second)
		w.crash(1 << 30)
		time.Sleep(45 * time.Second)
		synctest.Wait()
		w.is("x", CompleteAbort)
		w.marked(a0, Marker{Producer{who.ID, 1}, false, 0})
	})
}

func TestMarkersThatAreNotDurableAreWrittenAgain(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		w.at.set(func() { w.at.late = true })
		w.end("x", who, true)
		w.is("x", PrepareCommit)
		w.at.set(func() { w.at.late = false })
		w.crash(1 << 30)
		w.is("x", CompleteCommit)
		w.marked(a0, Marker{who, true, 0}, Marker{who, true, 0})
	})
}

func TestALostFileOfIDsRepeatsNoIDThatIsStored(t *testing.T) {
	film(t, Config{}, func(w *world) {
		var last Producer
		for i := range 5 {
			last = w.init(ID(fmt.Sprint(i)))
		}
		w.ids = nil // and with it the file
		w.crash(1 << 30)
		if fresh := w.init("fresh"); fresh.ID <= last.ID {
			t.Fatalf("%v is given out, and %v has it", fresh, last)
		}
	})
}

func TestARecordThatMakesNoSenseIsPassedOver(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		for _, e := range [][2][]byte{{{0, 9, 1}, {1}}, {encodeKey("y"), {0, 1, 2}}, {encodeKey("z"), nil}, {nil, {1}}} {
			b := newBatch(t, e[0], e[1])
			if _, _, err := w.log.Append(b); err != nil {
				t.Fatal(err)
			}
		}
		w.crash(1 << 30)
		w.add("x", who, a0)
	})
}

func TestADamagedBatchIsAnErrorThatNamesItsPlace(t *testing.T) {
	film(t, Config{}, func(w *world) {
		w.init("x")
		b := w.log.batches[0]
		b[len(b)-1]++
		if err := w.Load(t.Context()); err == nil {
			t.Fatal("loaded a batch with a bad checksum")
		}
	})
}

func TestTheLogStaysSmall(t *testing.T) {
	film(t, Config{RewriteBytes: 4096}, func(w *world) {
		who, other := w.init("x"), w.init("other")
		w.add("other", other, b0)
		for range 300 {
			w.add("x", who, a0)
			w.end("x", who, true)
		}
		size := 0
		for _, b := range w.log.batches {
			size += len(b)
		}
		if size > 2*4096 {
			t.Fatalf("the log has %d bytes after 300 transactions", size)
		}
		w.crash(1 << 30)
		w.is("x", CompleteCommit)
		w.is("other", Ongoing)
		w.end("other", other, false)
	})
}

func TestWhoWaitsIsAnsweredWhenTheBrokerEnds(t *testing.T) {
	film(t, Config{}, func(w *world) {
		w.log.hold(true)
		p := w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody})
		w.stop()
		w.refuses(p, ErrStopped)
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrStopped)
	})
}
