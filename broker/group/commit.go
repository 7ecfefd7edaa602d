package group

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// CommitRequest moves a group's offsets.
type CommitRequest struct {
	Group      ID
	Member     MemberID
	Instance   InstanceID
	Generation Generation // -1 with an empty Member: not a member, allowed while the group has none
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
		p.refuse(ErrIllegalGeneration)
		return p
	}
	defer c.release(g)
	if err := g.mayCommit(r); err != nil {
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
// still takes those of the generation that ends, and none between that and the new assignment.
func (g *group) mayCommit(r CommitRequest) error {
	if r.Generation < 0 && r.Member == "" && r.Instance == "" {
		if g.state == Empty {
			return nil
		}
		return ErrUnknownMember
	}
	if r.Generation < 0 && g.state == Empty {
		return nil
	}
	m, err := g.check(r.Member, r.Instance)
	if err != nil {
		return err
	}
	if r.Generation != g.generation {
		return ErrIllegalGeneration
	}
	g.alive(m)
	if g.state == CompletingRebalance {
		return ErrRebalancing
	}
	return nil
}

// commit appends the offsets that are in order; done gets one answer when they are durable. The group's
// lock is held from the check above to the append, so the log has the commits in the group's order.
func (g *group) commit(list []Commit, done chan error) error {
	now := time.Now()
	var entries []entry
	var places []*offset
	var values []Committed
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
		entries = append(entries, entry{offsetKey(g.id, e.Partition), offsetValue(v)})
		places, values = append(places, place), append(values, v)
	}
	if len(entries) == 0 {
		done <- nil
		return nil
	}
	err := g.c.writer.append(entries, func(err error) {
		g.mu.Lock()
		for i, p := range places {
			p.settle(values[i], err)
		}
		if err != nil {
			g.forgetUnknown()
		}
		g.c.release(g)
		done <- err // has room for it: this is the only answer
	})
	if err != nil {
		g.forgetUnknown()
		return err
	}
	for i, p := range places {
		p.newest = values[i]
		p.inFlight++
	}
	return nil
}
