package txn

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// again asks like a producer that goes on after an error.
func again(id ID, who Producer) InitRequest {
	return InitRequest{ID: id, Timeout: minute, Expected: who}
}

func TestANewProducerFencesTheOneBefore(t *testing.T) {
	film(t, Config{}, func(w *world) {
		old := w.init("x")
		now := w.init("x")
		if now != (Producer{old.ID, old.Epoch + 1}) {
			t.Fatalf("after %v comes %v", old, now)
		}
		w.refuses(w.Add("x", old, []Partition{a0}), ErrFenced)
		w.refuses(w.End("x", old, true), ErrFenced)
		w.refuses(w.Init(again("x", old)), ErrFenced)
		w.refuses(w.Add("x", Producer{old.ID + 1, 0}, []Partition{a0}), ErrUnknownProducer)
		w.add("x", now, a0)
		w.end("x", now, true)
	})
}

func TestANewProducerAbortsWhatIsOpen(t *testing.T) {
	film(t, Config{}, func(w *world) {
		old := w.init("x")
		w.add("x", old, a0)
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrConcurrent)
		w.is("x", CompleteAbort)
		w.marked(a0, Marker{Producer{old.ID, 1}, false, 0})
		if now := w.init("x"); now != (Producer{old.ID, 2}) {
			t.Fatalf("got %v: the epoch of the fence must be nobody's", now)
		}
	})
}

func TestAProducerGoesOnAfterAnError(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		next, err := w.wait(w.Init(again("x", who)))
		if err != nil || next != (Producer{who.ID, 1}) {
			t.Fatalf("%v, %v", next, err)
		}
		same, err := w.wait(w.Init(again("x", who))) // the answer was lost
		if err != nil || same != next {
			t.Fatalf("asked again: %v, %v, want %v", same, err, next)
		}
		third, err := w.wait(w.Init(again("x", next)))
		if err != nil || third != (Producer{who.ID, 2}) {
			t.Fatalf("%v, %v", third, err)
		}
		w.refuses(w.Init(again("x", who)), ErrFenced)
		fresh, err := w.wait(w.Init(again("new", Producer{99, 3}))) // an id that was forgotten
		if err != nil || fresh.Epoch != 0 || fresh.ID == 99 {
			t.Fatalf("%v, %v", fresh, err)
		}
	})
}

func TestAnOlderProducerDoesNotAbortTheOpenTransaction(t *testing.T) {
	film(t, Config{}, func(w *world) {
		old := w.init("x")
		now := w.init("x")
		w.add("x", now, a0)
		w.refuses(w.Init(again("x", old)), ErrFenced)
		w.refuses(w.Init(again("x", Producer{77, 0})), ErrFenced)
		w.is("x", Ongoing)
		w.end("x", now, true)
	})
}

func TestEpochsThatAreUsedUpBringANewProducerID(t *testing.T) {
	for _, goesOn := range []bool{false, true} {
		film(t, Config{}, func(w *world) {
			who := w.init("x")
			tx := w.find("x")
			tx.mu.Lock()
			tx.producer.Epoch = lastEpoch
			tx.mu.Unlock()
			r := InitRequest{ID: "x", Timeout: minute, Expected: nobody}
			if goesOn {
				r = again("x", Producer{who.ID, lastEpoch})
			}
			next, err := w.wait(w.Init(r))
			if err != nil || next.ID == who.ID || next.Epoch != 0 {
				t.Fatalf("after epoch %d: %v, %v", lastEpoch, next, err)
			}
			if !goesOn {
				w.refuses(w.Init(again("x", Producer{who.ID, lastEpoch - 1})), ErrFenced)
				return
			}
			same, err := w.wait(w.Init(r))
			if err != nil || same != next {
				t.Fatalf("asked again: %v, %v, want %v", same, err, next)
			}
			w.crash(1 << 30)
			if same, err = w.wait(w.Init(r)); err != nil || same != next {
				t.Fatalf("asked again after a crash: %v, %v, want %v", same, err, next)
			}
		})
	}
}

func TestFencingTheLastEpochLeavesARoomAbove(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		tx := w.find("x")
		tx.mu.Lock()
		tx.producer.Epoch = lastEpoch
		tx.mu.Unlock()
		w.add("x", Producer{who.ID, lastEpoch}, a0)
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrConcurrent)
		w.marked(a0, Marker{Producer{who.ID, lastEpoch + 1}, false, 0})
		if next := w.init("x"); next.ID == who.ID || next.Epoch != 0 {
			t.Fatalf("got %v", next)
		}
	})
}

func TestATransactionThatTakesTooLongIsAbortedAndItsProducerFenced(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		time.Sleep(minute / 2)
		w.add("x", who, a1) // which gives it no more time
		time.Sleep(minute / 2)
		synctest.Wait()
		w.is("x", Ongoing)
		time.Sleep(11 * time.Second) // the next look
		synctest.Wait()
		w.is("x", CompleteAbort)
		w.marked(a0, Marker{Producer{who.ID, who.Epoch + 1}, false, 0})
		w.refuses(w.End("x", who, true), ErrFenced)
		if err := w.enters("x", who, a0); !errors.Is(err, ErrStaleEpoch) {
			t.Fatalf("a batch of the aborted transaction: %v", err)
		}
	})
}

func TestTimeoutsAndIDsOutsideTheLimitsAreRefused(t *testing.T) {
	film(t, Config{}, func(w *world) {
		for _, timeout := range []time.Duration{0, -1, 15*time.Minute + 1} {
			w.refuses(w.Init(InitRequest{ID: "x", Timeout: timeout, Expected: nobody}), ErrInvalidTimeout)
		}
		w.refuses(w.Init(InitRequest{ID: "", Timeout: minute, Expected: nobody}), ErrInvalidID)
		w.refuses(w.Init(InitRequest{ID: ID(make([]byte, MaxIDBytes+1)), Timeout: minute, Expected: nobody}), ErrInvalidID)
		if _, err := w.wait(w.Init(InitRequest{ID: "x", Timeout: 15 * time.Minute, Expected: nobody})); err != nil {
			t.Fatal(err)
		}
	})
}

func TestIDsThatNobodyUsesAreForgotten(t *testing.T) {
	film(t, Config{}, func(w *world) {
		idle, busy := w.init("idle"), w.init("busy")
		for range 8 {
			time.Sleep(24 * time.Hour)
			w.add("busy", busy, a0)
			w.end("busy", busy, true)
		}
		if _, err := w.Describe("idle"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("idle for 8 days and still known: %v", err)
		}
		w.is("busy", CompleteCommit)
		w.refuses(w.Add("idle", idle, []Partition{a0}), ErrUnknownProducer)
		w.crash(1 << 30)
		if _, err := w.Describe("idle"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("a restart brought a forgotten id back: %v", err)
		}
		if fresh := w.init("idle"); fresh.ID == idle.ID {
			t.Fatalf("%v is given out again", fresh)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	film(t, Config{MaxBytes: 3*idCost + 100}, func(w *world) {
		var who Producer
		for _, id := range []ID{"a", "b", "c"} {
			who = w.init(id)
		}
		w.refuses(w.Init(InitRequest{ID: "d", Timeout: minute, Expected: nobody}), ErrNoRoom)
		w.init("a")
		w.add("c", who, a0)
		w.refuses(w.Add("c", who, []Partition{a1}), ErrNoRoom)
		w.end("c", who, true)
		w.add("c", who, a1) // the room is given back
		w.crash(1 << 30)
		w.refuses(w.Add("c", who, []Partition{a0}), ErrNoRoom) // and counted after a restart
	})
}
