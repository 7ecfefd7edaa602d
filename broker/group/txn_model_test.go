package group

import (
	"context"
	"fmt"
	"maps"

	"github.com/loghaul/loghaul/internal/record"
)

// modelTxn is one producer's transaction: what it was answered for, and what may be of it.
type modelTxn struct {
	offsets map[int32]record.Offset // as answered
	ending  bool                    // its end was asked for, and may or may not be in the log
	commit  bool
}

// txnGroup has the offsets that a producer commits in transactions, one partition each: nobody else moves them.
func (a *actor) txnGroup() ID { return ID(fmt.Sprint("txn-", a.producer)) }

// commitInTxn commits two offsets in the actor's transaction.
func (a *actor) commitInTxn(ctx context.Context) {
	t := a.j.txns[a.producer]
	if t == nil {
		t = &modelTxn{offsets: map[int32]record.Offset{}}
		a.j.txns[a.producer] = t
	}
	if t.ending { // its end must be driven through first, as the transactions' coordinator does
		a.endTxn(ctx)
		return
	}
	r := TxnCommitRequest{ProducerID: a.producer, CommitRequest: CommitRequest{Group: a.txnGroup(), Generation: -1}}
	for range 2 {
		a.next++
		r.Offsets = append(r.Offsets, Commit{Partition: Partition{"t", int32(a.rng.IntN(4))}, Offset: a.next})
	}
	for _, c := range a.c.TxnCommit(r).Wait(context.WithoutCancel(ctx)) {
		if c.Err != nil {
			a.j.complain("a commit in a transaction: %v", c.Err)
			continue
		}
		t.offsets[c.Index] = c.Offset
	}
}

// endTxn commits or aborts the actor's transaction, and asks again when it got no answer.
func (a *actor) endTxn(ctx context.Context) {
	t := a.j.txns[a.producer]
	if t == nil {
		return
	}
	if !t.ending {
		t.ending, t.commit = true, a.rng.IntN(3) > 0
	}
	ctx, cancel := a.patience(ctx)
	defer cancel()
	if err := a.c.CompleteTxn(ctx, a.producer, 0, t.commit); err != nil {
		return
	}
	if t.commit {
		maps.Copy(a.j.visible[a.producer], t.offsets)
	}
	a.j.ends++
	a.j.txns[a.producer] = nil
	a.checkTxn()
}

// checkTxn holds what is visible of the producer's group against what was committed.
func (a *actor) checkTxn() {
	found, err := a.c.Fetch(FetchRequest{Group: a.txnGroup(), All: true, Stable: true})
	if err != nil {
		a.j.complain("fetching what transactions have committed: %v", err)
	}
	got := map[int32]record.Offset{}
	for at, f := range found {
		if f.Err != nil {
			a.j.complain("%v is undecided, though its transaction has ended", at)
		}
		got[at.Index] = f.Offset
	}
	if want := a.j.visible[a.producer]; !maps.Equal(got, want) {
		a.j.complain("producer %d has committed %v, visible is %v", a.producer, want, got)
	}
}
