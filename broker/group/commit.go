package group

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// CommitRequest moves a group's offsets.
type CommitRequest struct {
	Group      ID
	Member     MemberID
	Instance   InstanceID
	Generation Generation // -1 with an empty Member: not a member, allowed while the group has none
	Epochs     bool       // Generation may be the epoch of a consumer group's member (OffsetCommit v9+)
	Offsets    []Commit
}

// Commit is one partition's new place and, after Wait, what became of it.
type Commit struct {
	Partition
	Offset      record.Offset
	LeaderEpoch int32
	Metadata    string
	Retention   time.Duration // OffsetCommit v2-v4; 0: the group's
	Err         error         // why it is not stored
}

// PendingCommit is an OffsetCommit that has been taken and waits for the disk.
type PendingCommit struct {
	offsets []Commit
	done    chan error // nil: each entry has its Err already
}

// Commit takes new offsets, in the order of the calls. Wait, which must follow, says what became of them.
// An entry that comes with an Err is passed over.
func (c *Coordinator) Commit(r CommitRequest) *PendingCommit {
	p := &PendingCommit{offsets: r.Offsets}
	if !storableID(r.Group) {
		p.refuse(ErrInvalidGroup)
		return p
	}
	g := c.acquire(r.Group, r.Generation < 0)
	if g == nil {
		p.refuse(r.noGroup())
		return p
	}
	defer c.release(g)
	if err := g.mayCommit(r, false); err != nil {
		p.refuse(err)
		return p
	}
	done := make(chan error, 1)
	if err := g.commit(r.Offsets, done); err != nil {
		p.refuse(err)
		return p
	}
	p.done = done
	return p
}

// noGroup says why a commit finds no group.
func (r *CommitRequest) noGroup() error {
	switch {
	case r.Generation < 0:
		return ErrNoRoom
	case r.Epochs:
		return ErrNotFound
	}
	return ErrIllegalGeneration
}

// Wait returns when the offsets are durable, or with the reason why they are not, or when ctx ends: then
// they may be stored or not. The entries are those given to Commit, in their order, each with its Err.
func (p *PendingCommit) Wait(ctx context.Context) []Commit {
	if p.done != nil {
		select {
		case err := <-p.done:
			p.refuse(err)
		case <-ctx.Done():
			p.refuse(context.Cause(ctx))
		}
	}
	return p.offsets
}

// refuse gives an error, if it is one, to all entries that have none.
func (p *PendingCommit) refuse(err error) {
	for i := range p.offsets {
		if p.offsets[i].Err == nil {
			p.offsets[i].Err = err
		}
	}
}

// mayCommit says whether this request may move the group's offsets now. A group without members takes
// the commits of those who manage their partitions themselves; a group that is gathering its members
// still takes those of the generation that ends, and none between that and the new assignment. A
// transaction's commit need not name a member (before TxnOffsetCommit v3 it could not), and is not held
// up by a new assignment.
func (g *group) mayCommit(r CommitRequest, txn bool) error {
	if g.roster != nil {
		return g.mayCommitConsumer(r, txn)
	}
	anonymous := r.Generation < 0 && r.Member == "" && r.Instance == ""
	switch {
	case r.Generation < 0 && g.state == Empty, anonymous && txn:
		return nil
	case anonymous:
		return ErrUnknownMember
	}
	m, err := g.check(r.Member, r.Instance)
	if err != nil {
		return err
	}
	if r.Generation != g.generation {
		return ErrIllegalGeneration
	}
	if txn {
		return nil
	}
	g.alive(m)
	if g.state == CompletingRebalance {
		return ErrRebalancing
	}
	return nil
}

// move is one offset's way to a new value.
type move struct {
	at    Partition
	place *offset
	to    Committed
}

// moves are the entries of a request that are in order; the others get their Err.
func (g *group) moves(list []Commit) []move {
	now := time.Now()
	var moves []move
	for i := range list {
		e := &list[i]
		if e.Err != nil {
			continue
		}
		place := g.place(e)
		if place == nil {
			continue
		}
		v := Committed{Offset: e.Offset, LeaderEpoch: e.LeaderEpoch, Metadata: e.Metadata, Time: now}
		if e.Retention > 0 {
			v.Expire = now.Add(e.Retention)
		}
		moves = append(moves, move{e.Partition, place, v})
	}
	return moves
}

// entriesOf are the records of some moves.
func entriesOf(id ID, moves []move) []statelog.Entry {
	list := make([]statelog.Entry, len(moves))
	for i, m := range moves {
		list[i] = entry(offsetKey(id, m.at), offsetValue(m.to))
	}
	return list
}

// commit appends the offsets that are in order; done gets one answer when they are durable. The group's
// lock is held from the check above to the append, so the log has the commits in the group's order.
func (g *group) commit(list []Commit, done chan error) error {
	moves := g.moves(list)
	if len(moves) == 0 {
		done <- nil
		return nil
	}
	last, err := g.c.writer.AppendAs(record.NoProducer, entriesOf(g.id, moves), func(err error) {
		g.mu.Lock()
		for _, m := range moves {
			m.place.inFlight--
			if err == nil {
				m.place.move(m.to)
			}
		}
		if err != nil {
			g.forgetUnknown(moves)
		}
		g.c.release(g)
		done <- err // has room for it: this is the only answer
	})
	if err != nil {
		g.forgetUnknown(moves)
		return err
	}
	for i := range moves { // nobody reads them before the group's lock is free
		m := &moves[i]
		m.to.log = last
		m.place.newest = m.to
		m.place.inFlight++
	}
	return nil
}
