package txn

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestACommitIsToldToEveryPartition(t *testing.T) {
	film(t, Config{Epoch: 7}, func(w *world) {
		who := w.init("x")
		if who != (Producer{0, 0}) {
			t.Fatalf("the first producer is %v", who)
		}
		w.is("x", Empty)
		w.add("x", who, a0, a1)
		w.add("x", who, b0, a0)
		w.is("x", Ongoing)
		w.end("x", who, true)
		w.is("x", CompleteCommit)
		for _, p := range []Partition{a0, a1, b0} {
			w.marked(p, Marker{who, true, 7})
		}
		w.end("x", who, true) // asked again
		w.refuses(w.End("x", who, false), ErrInvalidTxnState)
	})
}

func TestAnAbortIsToldToEveryPartition(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		w.end("x", who, false)
		w.is("x", CompleteAbort)
		w.marked(a0, Marker{who, false, 0})
		w.end("x", who, false)
		w.refuses(w.End("x", who, true), ErrInvalidTxnState)
		w.add("x", who, b0) // the next transaction does not span the partitions of the one before
		w.end("x", who, true)
		w.marked(a0, Marker{who, false, 0})
		w.marked(b0, Marker{who, true, 0})
	})
}

func TestThereIsNothingToEndWithoutATransaction(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.refuses(w.End("x", who, true), ErrInvalidTxnState)
		w.refuses(w.End("x", who, false), ErrInvalidTxnState)
		w.refuses(w.End("nobody", who, true), ErrUnknownProducer)
		w.refuses(w.End("", who, true), ErrInvalidID)
		w.refuses(w.Add("nobody", who, []Partition{a0}), ErrUnknownProducer)
	})
}

func TestABatchEntersOnlyWhereItsTransactionIs(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		check := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		check("before the transaction", w.enters("x", who, a0), ErrInvalidTxnState)
		w.add("x", who, a0)
		check("in it", w.enters("x", who, a0), nil)
		check("another partition", w.enters("x", who, a1), ErrInvalidTxnState)
		check("an older epoch", w.enters("x", Producer{who.ID, who.Epoch - 1}, a0), ErrStaleEpoch)
		check("a newer epoch", w.enters("x", Producer{who.ID, who.Epoch + 1}, a0), ErrStaleEpoch)
		check("another producer", w.enters("x", Producer{who.ID + 1, 0}, a0), ErrUnknownProducer)
		check("another id", w.enters("y", who, a0), ErrUnknownProducer)
		w.end("x", who, true)
		check("after its end", w.enters("x", who, a0), ErrInvalidTxnState)
	})
}

func TestABatchDoesNotEnterBeforeItsPartitionIsStored(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.log.hold(true)
		p := w.Add("x", who, []Partition{a0})
		synctest.Wait()
		if err := w.enters("x", who, a0); !errors.Is(err, ErrInvalidTxnState) {
			t.Fatalf("a batch came in before the disk had its partition: %v", err)
		}
		w.log.hold(false)
		if _, err := w.wait(p); err != nil {
			t.Fatal(err)
		}
		if err := w.enters("x", who, a0); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNoMarkerComesBeforeTheDecisionIsDurable(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		w.log.hold(true)
		p := w.End("x", who, true)
		synctest.Wait()
		w.marked(a0)
		if err := w.enters("x", who, a0); !errors.Is(err, ErrInvalidTxnState) {
			t.Fatalf("a batch came in after the decision: %v", err)
		}
		w.refuses(w.End("x", who, true), ErrConcurrent)
		w.refuses(w.Add("x", who, []Partition{a1}), ErrConcurrent)
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrConcurrent)
		w.log.hold(false)
		if _, err := w.wait(p); err != nil {
			t.Fatal(err)
		}
		w.marked(a0, Marker{who, true, 0})
	})
}

func TestTheEndWaitsForBatchesThatAreInside(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0, a1)
		leave, err := w.Enter("x", int64(who.ID), who.Epoch, "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.end("x", who, true) // answered when its patience is over: the decision is durable
		if took := time.Since(began); took != time.Second {
			t.Fatalf("answered after %v, want the patience of 1s", took)
		}
		w.is("x", PrepareCommit)
		w.marked(a0)
		w.marked(a1)
		leave()
		synctest.Wait()
		w.is("x", CompleteCommit)
		w.marked(a0, Marker{who, true, 0})
		w.marked(a1, Marker{who, true, 0})
	})
}

func TestAMarkerThatFailsIsTriedAgain(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		w.at.set(func() { w.at.refuse = errors.New("no room") })
		w.end("x", who, false)
		w.is("x", PrepareAbort)
		w.at.set(func() { w.at.refuse = nil })
		time.Sleep(time.Second)
		synctest.Wait()
		w.is("x", CompleteAbort)
		w.marked(a0, Marker{who, false, 0})
	})
}

// Where one partition fails for long the others do not fill with its markers.
func TestAMarkerThatIsDurableIsNotWrittenAgain(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0, a1, b0)
		w.at.set(func() { w.at.broken = map[Partition]error{a1: errors.New("no room")} })
		w.end("x", who, true)
		time.Sleep(minute)
		synctest.Wait()
		w.is("x", PrepareCommit)
		w.marked(a0, Marker{who, true, 0})
		w.at.set(func() { w.at.broken = nil })
		time.Sleep(time.Second)
		synctest.Wait()
		w.is("x", CompleteCommit)
		for _, p := range []Partition{a0, a1, b0} {
			w.marked(p, Marker{who, true, 0})
		}
		w.add("x", who, a0)
		w.end("x", who, false)
		w.marked(a0, Marker{who, true, 0}, Marker{who, false, 0})
	})
}

// An operator's marker in an epoch from the future would keep the coordinator's own out for good.
func TestAMarkerOfAnOperatorDoesNotFenceTheCoordinator(t *testing.T) {
	film(t, Config{Epoch: 7}, func(w *world) {
		who := w.init("x")
		for asked, want := range map[int32]int32{1 << 30: 7, 7: 7, 3: 3} {
			w.at.set(func() { clear(w.at.markers) })
			if _, err := w.Mark(a0, Marker{who, false, asked}); err != nil {
				w.t.Fatal(err)
			}
			w.marked(a0, Marker{who, false, want})
		}
	})
}

func TestADeletedPartitionHoldsNothingUp(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0, b0)
		w.at.set(func() { w.at.gone[a0] = true })
		w.end("x", who, true)
		w.is("x", CompleteCommit)
		w.marked(b0, Marker{who, true, 0})
	})
}

func TestAFullDiskRefusesAndForgetsNothing(t *testing.T) {
	film(t, Config{}, func(w *world) {
		full := errors.New("no space left")
		w.log.fail(full, nil)
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrNotStored)
		if _, err := w.Describe("x"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("an id that was not stored is known: %v", err)
		}
		if used := w.use.Load(); used != 0 {
			t.Fatalf("an id that was not stored takes %d bytes", used)
		}
		w.log.fail(nil, nil)
		who := w.init("x")
		w.log.fail(full, nil)
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrNotStored)
		w.refuses(w.Add("x", who, []Partition{a0}), ErrNotStored)
		w.is("x", Empty)
		w.log.fail(nil, nil)
		w.add("x", who, a0)
		w.log.fail(full, nil)
		w.refuses(w.End("x", who, true), ErrNotStored)
		w.is("x", Ongoing)
		w.log.fail(nil, nil)
		w.end("x", who, true)
		w.marked(a0, Marker{who, true, 0})
	})
}

func TestWithoutAnIDToGiveNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids, err := OpenIDs(IDsConfig{Path: filepath.Join(t.TempDir(), "missing", "ids")})
		if err != nil {
			t.Fatal(err)
		}
		w := begin(t, Config{}, newMemLog(), newPartitions(), ids)
		defer w.stop()
		w.refuses(w.Init(InitRequest{ID: "x", Timeout: minute, Expected: nobody}), ErrNotStored)
		if used := w.use.Load(); used != 0 {
			t.Fatalf("an id without a producer takes %d bytes", used)
		}
	})
}

func TestEnteringAllocatesNothing(t *testing.T) {
	film(t, Config{}, func(w *world) {
		who := w.init("x")
		w.add("x", who, a0)
		if n := testing.AllocsPerRun(100, func() {
			leave, err := w.Enter("x", int64(who.ID), who.Epoch, "a", 0)
			if err != nil {
				t.Fatal(err)
			}
			leave()
		}); n != 0 {
			t.Fatalf("a batch that enters allocates %v objects", n)
		}
	})
}
