package group

import (
	"context"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
)

// TxnCommitRequest moves a group's offsets as one part of a producer's transaction: they become visible
// with the others of the transaction, or not at all.
type TxnCommitRequest struct {
	CommitRequest
	ProducerID int64
	Epoch      int16 // the producer's
}

// openTxn is what one producer has committed to one group in a transaction that has not ended.
type openTxn struct {
	producer record.Producer
	offsets  map[Partition]Committed // appended; guarded by the group's lock
	bytes    int64                   // counted in usage

	marked bool // its end is in the log; guarded by openTxns, as is commit
	commit bool // which end
}

// openTxns knows in which groups a producer's transaction has offsets. Its lock is taken after a group's
// and held over every append that a marker must not overtake.
type openTxns struct {
	sync.Mutex
	byProducer map[int64]map[*group]*openTxn
}

// add makes the transaction of a producer in a group known.
func (o *openTxns) add(g *group, t *openTxn) {
	if o.byProducer[t.producer.ID] == nil {
		o.byProducer[t.producer.ID] = map[*group]*openTxn{}
	}
	o.byProducer[t.producer.ID][g], g.txns[t.producer.ID] = t, t
}

// forget takes a transaction out that has ended or holds nothing any more.
func (o *openTxns) forget(g *group, t *openTxn) {
	id := t.producer.ID
	if g.txns[id] == t {
		delete(g.txns, id)
	}
	if o.byProducer[id][g] == t {
		delete(o.byProducer[id], g)
	}
	if len(o.byProducer[id]) == 0 {
		delete(o.byProducer, id)
	}
}

// TxnCommit takes new offsets as part of a transaction. Wait, which must follow, says whether they are
// durable; they are visible only when CompleteTxn has committed them. The caller has made sure that the
// transaction goes on and that it counts this log among its partitions.
func (c *Coordinator) TxnCommit(r TxnCommitRequest) *PendingCommit {
	p := &PendingCommit{offsets: r.Offsets}
	if !validID(r.Group) {
		p.refuse(ErrInvalidGroup)
		return p
	}
	g := c.acquire(r.Group, r.Generation < 0)
	if g == nil {
		p.refuse(r.noGroup())
		return p
	}
	defer c.release(g)
	if err := g.mayCommit(r.CommitRequest, true); err != nil {
		p.refuse(err)
		return p
	}
	done := make(chan error, 1)
	if err := g.commitTxn(r, done); err != nil {
		p.refuse(err)
		return p
	}
	p.done = done
	return p
}

// commitTxn appends the offsets that are in order to the producer's transaction; done gets one answer
// when they are durable. What cannot be made durable stays pending: only the marker decides.
func (g *group) commitTxn(r TxnCommitRequest, done chan error) error {
	moves := g.moves(r.Offsets)
	if len(moves) == 0 {
		done <- nil
		return nil
	}
	defer g.forgetUnknown(moves)
	txns := &g.c.txns
	txns.Lock()
	defer txns.Unlock()
	t := g.txns[r.ProducerID]
	if t == nil {
		t = &openTxn{producer: record.Producer{ID: r.ProducerID, Epoch: r.Epoch, Sequence: -1}, offsets: map[Partition]Committed{}}
	}
	if t.marked {
		return ErrTxnEnding
	}
	t.producer.Epoch = max(t.producer.Epoch, r.Epoch)
	as := record.Producer{ID: r.ProducerID, Epoch: r.Epoch, Sequence: -1}
	last, err := g.c.writer.AppendAs(as, entriesOf(g.id, moves), func(err error) { done <- err }) // has room for it
	if err != nil {
		return err
	}
	txns.add(g, t)
	for _, m := range moves {
		m.to.log = last
		g.pend(t, m)
	}
	return nil
}

// pend notes that a transaction will move an offset if it is committed.
func (g *group) pend(t *openTxn, m move) {
	was, had := t.offsets[m.at]
	if !had {
		m.place.pending++
	}
	more := offsetSize(m.at, m.to.Metadata)
	if had {
		more -= offsetSize(m.at, was.Metadata)
	}
	t.bytes += more
	g.c.use.offsets.Add(more)
	t.offsets[m.at] = m.to
}

// unpend takes one offset out of all transactions, as a tombstone does.
func (g *group) unpend(at Partition) {
	if p := g.offsets[at]; p == nil || p.pending == 0 {
		return
	}
	txns := &g.c.txns
	txns.Lock()
	defer txns.Unlock()
	for _, t := range g.txns {
		if _, ok := t.offsets[at]; !ok {
			continue
		}
		g.giveUp(t, at)
		if len(t.offsets) == 0 {
			txns.forget(g, t)
		}
	}
}

// giveUp takes one offset out of a transaction.
func (g *group) giveUp(t *openTxn, at Partition) {
	size := offsetSize(at, t.offsets[at].Metadata)
	t.bytes -= size
	g.c.use.offsets.Add(-size)
	delete(t.offsets, at)
	if p := g.offsets[at]; p != nil {
		p.pending--
	}
}

// CompleteTxn ends a producer's transaction for all groups: it writes the marker, waits until that is
// durable, and makes what the transaction has committed visible, or forgets it. A transaction that has
// committed no offsets ends the same way. After an error it may be called again, with the same outcome.
func (c *Coordinator) CompleteTxn(ctx context.Context, producerID int64, epoch int16, commit bool) error {
	done := make(chan error, 1)
	settle := func(err error) { done <- err } // has room for it: this is the only answer
	if err := c.markTxn(producerID, epoch, commit, settle); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// markerBytes is about what a transaction's marker takes in the log.
const markerBytes = 78

// markTxn writes the marker; settled is called when its outcome shows, or may never show.
func (c *Coordinator) markTxn(producerID int64, epoch int16, commit bool, settled func(error)) error {
	c.txns.Lock()
	defer c.txns.Unlock()
	type ended struct {
		g *group
		t *openTxn
	}
	var list []ended
	for g, t := range c.txns.byProducer[producerID] {
		list = append(list, ended{g, t})
	}
	put := func() (record.Offset, error) { return c.log.AppendMarker(producerID, epoch, commit) }
	err := c.writer.AppendWith(put, markerBytes, func(err error) {
		if err == nil {
			for _, e := range list {
				c.settleTxn(e.g, e.t)
			}
		}
		settled(err)
	})
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.t.marked { // else an earlier marker has decided
			e.t.marked, e.t.commit = true, commit
		}
	}
	return nil
}

// settleTxn does to one group what a durable marker says.
func (c *Coordinator) settleTxn(g *group, t *openTxn) {
	g.mu.Lock()
	defer c.release(g)
	g.endTxn(t)
}

// endTxn makes what a marked transaction has committed visible, or forgets it.
func (g *group) endTxn(t *openTxn) {
	txns := &g.c.txns
	txns.Lock()
	commit := t.commit
	txns.forget(g, t)
	txns.Unlock()
	for at, v := range t.offsets {
		g.giveUp(t, at)
		p := g.offsets[at]
		if p == nil {
			continue
		}
		if commit {
			p.move(v)
			g.measure(at, p)
		}
		if !p.known && p.inFlight == 0 && p.pending == 0 {
			g.forgetOffset(at)
		}
	}
}
