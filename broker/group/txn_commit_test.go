package group

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// txnCommit commits one offset of topic "t", partition 0, in a producer's transaction.
func txnCommit(t *testing.T, c *Coordinator, id ID, producer int64, m JoinResult, offset record.Offset) error {
	t.Helper()
	r := TxnCommitRequest{ProducerID: producer, Epoch: 1, CommitRequest: CommitRequest{Group: id, Member: m.Member, Generation: m.Generation,
		Offsets: []Commit{{Partition: Partition{"t", 0}, Offset: offset, LeaderEpoch: -1, Metadata: "txn"}}}}
	if m.Member == "" {
		r.Generation = -1
	}
	c.TxnCommit(r).Wait(t.Context())
	return r.Offsets[0].Err
}

// complete ends a producer's transaction.
func complete(t *testing.T, c *Coordinator, producer int64, commit bool) {
	t.Helper()
	if err := c.CompleteTxn(t.Context(), producer, 1, commit); err != nil {
		t.Fatal(err)
	}
}

// stable is what a consumer that wants only what is decided gets for topic "t", partition 0.
func stable(t *testing.T, c *Coordinator, id ID) (record.Offset, error) {
	t.Helper()
	found, err := c.Fetch(FetchRequest{Group: id, Partitions: []Partition{{"t", 0}}, Stable: true})
	if err != nil {
		t.Fatal(err)
	}
	f, ok := found[Partition{"t", 0}]
	if !ok {
		return -1, nil
	}
	return f.Offset, f.Err
}

// expect holds the visible offset and whether it may still be moved.
func expect(t *testing.T, c *Coordinator, offset record.Offset, unstable bool) {
	t.Helper()
	if got := fetchOne(t, c, "g"); got != offset {
		t.Errorf("the visible offset is %d, want %d", got, offset)
	}
	got, err := stable(t, c, "g")
	if errors.Is(err, ErrUnstable) != unstable || !unstable && got != offset {
		t.Errorf("asked for what is decided: %d, %v; want %d, unstable %t", got, err, offset, unstable)
	}
}

func TestOffsetsOfATransactionShowWhenItIsCommitted(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		if err := txnCommit(t, c, "g", 7, JoinResult{}, 10); err != nil {
			t.Fatal(err)
		}
		expect(t, c, -1, true)
		complete(t, c, 8, true) // of another producer
		expect(t, c, -1, true)
		complete(t, c, 7, true)
		expect(t, c, 10, false)
		complete(t, c, 7, true) // again: nothing is open
		expect(t, c, 10, false)
	})
}

func TestOffsetsOfAnAbortedTransactionAreForgotten(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		if err := txnCommit(t, c, "g", 7, JoinResult{}, 10); err != nil {
			t.Fatal(err)
		}
		complete(t, c, 7, false)
		expect(t, c, -1, false)
		if s := stateOf(t, c, "g"); s != Dead {
			t.Errorf("a group that nothing came of is %s", s)
		}
		if n := c.use.offsets.Load(); n != 0 {
			t.Errorf("%d bytes are still counted", n)
		}
	})
}

func TestTheLaterOfTwoCommitsHoldsWhenATransactionEnds(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(txnCommit(t, c, "g", 7, JoinResult{}, 10))
		must(commitOne(t, c, "g", JoinResult{}, 20)) // after it in the log
		complete(t, c, 7, true)
		expect(t, c, 20, false)
		must(commitOne(t, c, "g", JoinResult{}, 30))
		must(txnCommit(t, c, "g", 7, JoinResult{}, 40))
		complete(t, c, 7, true)
		expect(t, c, 40, false)
	})
}

func TestWhoMayCommitInATransaction(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		m := gather(t, c, "g", 1)[0]
		for _, step := range []struct {
			as   JoinResult
			want error
		}{
			{m, nil},
			{JoinResult{}, nil}, // before TxnOffsetCommit v3 there is no word for who it is
			{JoinResult{Member: m.Member, Generation: m.Generation + 1}, ErrIllegalGeneration},
			{JoinResult{Member: "x", Generation: m.Generation}, ErrUnknownMember},
		} {
			if err := txnCommit(t, c, "g", 7, step.as, 1); !errors.Is(err, step.want) {
				t.Errorf("commit as %s in generation %d: %v, want %v", step.as.Member, step.as.Generation, err, step.want)
			}
		}
		if err := txnCommit(t, c, "none", 7, JoinResult{Member: "x", Generation: 1}, 1); !errors.Is(err, ErrIllegalGeneration) {
			t.Errorf("commit to no group: %v", err)
		}
	})
}

// TestAnOpenTransactionOutlivesTheBroker restarts it before and after the marker, after the log has been
// written anew too.
func TestAnOpenTransactionOutlivesTheBroker(t *testing.T) {
	for name, keep := range map[string]func() bool{"all that was written": always, "what was durable": never} {
		for _, rewritten := range []bool{false, true} {
			for _, commit := range []bool{false, true} {
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { outlive(t, keep, rewritten, commit) })
				})
			}
		}
	}
}

func outlive(t *testing.T, keep func() bool, rewritten, commit bool) {
	log := &memLog{lag: time.Millisecond}
	c, stop := start(t, Config{}, log)
	if err := commitOne(t, c, "g", JoinResult{}, 5); err != nil {
		t.Fatal(err)
	}
	if err := txnCommit(t, c, "g", 7, JoinResult{}, 10); err != nil {
		t.Fatal(err)
	}
	if err := txnCommit(t, c, "other", 7, JoinResult{}, 11); err != nil {
		t.Fatal(err)
	}
	if rewritten {
		if err := c.rewrite(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		t.Helper()
		log = log.crashed(keep)
		stop()
		c, stop = start(t, Config{}, log)
	}
	again()
	expect(t, c, 5, true)
	if rewritten {
		if err := c.rewrite(t.Context()); err != nil {
			t.Fatal(err)
		}
		again()
		expect(t, c, 5, true)
	}
	complete(t, c, 7, commit)
	want, other := record.Offset(5), record.Offset(-1)
	if commit {
		want, other = 10, 11
	}
	expect(t, c, want, false)
	again()
	expect(t, c, want, false)
	if got := fetchOne(t, c, "other"); got != other {
		t.Errorf("the other group is at %d, want %d", got, other)
	}
	stop()
}

func TestRewritingKeepsTheOrderOfCommits(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(txnCommit(t, c, "g", 7, JoinResult{}, 10))
		must(commitOne(t, c, "g", JoinResult{}, 20))
		must(c.rewrite(t.Context()))
		back, stop := start(t, Config{}, log.crashed(always))
		defer stop()
		complete(t, back, 7, true)
		expect(t, back, 20, false)
	})
}

func TestDeletingForgetsWhatIsPending(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		if err := txnCommit(t, c, "g", 7, JoinResult{}, 10); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete("g").Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		complete(t, c, 7, true)
		expect(t, c, -1, false)
		back, stop := start(t, Config{}, log.crashed(always))
		defer stop()
		expect(t, back, -1, false)
	})
}

func TestPendingOffsetsDoNotExpire(t *testing.T) {
	world(t, Config{Retention: time.Hour}, func(t *testing.T, c *Coordinator, _ *memLog) {
		if err := commitOne(t, c, "g", JoinResult{}, 5); err != nil {
			t.Fatal(err)
		}
		if err := txnCommit(t, c, "g", 7, JoinResult{}, 10); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Hour)
		expect(t, c, 5, true)
		complete(t, c, 7, false)
		pass(time.Hour)
		expect(t, c, -1, false)
	})
}

func TestAFencedProducerIsToldSo(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		log.mu.Lock()
		log.full = ErrProducerFenced
		log.mu.Unlock()
		if err := txnCommit(t, c, "g", 7, JoinResult{}, 10); !errors.Is(err, ErrProducerFenced) || errors.Is(err, ErrNotStored) {
			t.Errorf("commit: %v", err)
		}
		if err := c.CompleteTxn(t.Context(), 7, 1, true); !errors.Is(err, ErrProducerFenced) {
			t.Errorf("end: %v", err)
		}
		if n := c.use.offsets.Load(); n != 0 || stateOf(t, c, "g") != Dead {
			t.Errorf("%d bytes are counted for a commit that was refused", n)
		}
	})
}

func TestARewriteCutShortKeepsTheOrderOfCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		c, stop := start(t, Config{}, log)
		if err := commitOne(t, c, "g", JoinResult{}, 10); err != nil {
			t.Fatal(err)
		}
		for producer := range int64(3) {
			if err := txnCommit(t, c, "g", producer, JoinResult{}, 20); err != nil {
				t.Fatal(err)
			}
		}
		_, whole := log.size()
		add := func(as record.Producer, entries []statelog.Entry) error {
			_, err := c.writer.AppendAs(as, entries, nil)
			return err
		}
		if err := c.rewriteGroup(c.mu.groups["g"], add); err != nil {
			t.Fatal(err)
		}
		_, all := log.size()
		stop()
		for cut := range all - whole + 1 {
			kept := 0
			c, stop := start(t, Config{}, log.crashed(func() bool { kept++; return kept <= cut }))
			for producer := range int64(3) {
				complete(t, c, producer, producer < 2)
			}
			expect(t, c, 20, false)
			stop()
		}
	})
}
