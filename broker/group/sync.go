package group

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
)

// SyncRequest asks for a member's assignment; the leader's brings all of them.
type SyncRequest struct {
	Group        ID
	Member       MemberID
	Instance     InstanceID
	Generation   Generation
	ProtocolType *string // nil: not said (before SyncGroup v5)
	Protocol     *string
	Assignments  []Assignment // copied
}

// Assignment is what the leader gives to one member.
type Assignment struct {
	Member MemberID
	Data   []byte
}

// SyncResult is a member's assignment. Data must not be changed.
type SyncResult struct {
	ProtocolType, Protocol string
	Data                   []byte
}

type syncAnswer struct {
	SyncResult
	err error
}

// PendingSync is a SyncGroup that has been taken and may have to wait.
type PendingSync struct {
	c      *Coordinator
	g      *group
	m      *member // nil: res and err are the answer
	answer chan syncAnswer
	res    SyncResult
	err    error
}

// Sync takes a member's request, and with the leader's all assignments. Wait, which must follow, returns
// the member's own.
func (c *Coordinator) Sync(r SyncRequest) *PendingSync {
	if !validID(r.Group) {
		return &PendingSync{err: ErrInvalidGroup}
	}
	g := c.acquire(r.Group, false)
	if g == nil {
		return &PendingSync{err: ErrUnknownMember}
	}
	defer c.release(g)
	p := &PendingSync{c: c, g: g, answer: make(chan syncAnswer, 1)}
	p.m, p.res, p.err = g.sync(r, p.answer)
	return p
}

// Wait returns when the leader's assignment of this generation is durable, or with the reason why there
// is none, or when ctx ends.
func (p *PendingSync) Wait(ctx context.Context) (SyncResult, error) {
	if p.m == nil {
		return p.res, p.err
	}
	err := ErrStopped
	select {
	case a := <-p.answer:
		return a.SyncResult, a.err
	case <-p.c.stopped:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.g.mu.Lock()
	defer p.c.release(p.g)
	if p.m.sync == p.answer {
		p.m.sync, p.g.retime = nil, true
		p.g.alive(p.m)
	}
	return SyncResult{}, err
}

// sync decides about one request. A member means that the answer comes by the channel.
func (g *group) sync(r SyncRequest, answer chan syncAnswer) (*member, SyncResult, error) {
	m, err := g.check(r.Member, r.Instance)
	if err != nil {
		return nil, SyncResult{}, err
	}
	if r.Generation != g.generation {
		return nil, SyncResult{}, ErrIllegalGeneration
	}
	if r.ProtocolType != nil && *r.ProtocolType != g.protocolType ||
		r.Protocol != nil && *r.Protocol != g.protocol {
		return nil, SyncResult{}, ErrInconsistentProtocol
	}
	switch g.state {
	case PreparingRebalance:
		return nil, SyncResult{}, ErrRebalancing
	case Stable:
		delete(g.unsynced, m.id)
		g.alive(m)
		return nil, g.shareOf(m), nil
	case CompletingRebalance:
		delete(g.unsynced, m.id)
		m.answerSync(SyncResult{}, ErrRebalancing) // an older request of the same member
		m.sync, g.retime = answer, true
		if m.id == g.leader && !g.storing {
			g.assign(r.Assignments)
		}
		return m, SyncResult{}, nil
	default:
		return nil, SyncResult{}, ErrUnknownMember
	}
}

// assign stores the leader's assignment; once it is durable, the group is stable and all who wait get
// their share.
func (g *group) assign(list []Assignment) {
	shares := make(map[MemberID][]byte, len(g.members))
	total := int64(0)
	for _, a := range list {
		if g.members[a.Member] != nil {
			shares[a.Member] = bytes.Clone(a.Data)
			total += int64(len(a.Data))
		}
	}
	for id := range g.members {
		if shares[id] == nil {
			shares[id] = []byte{}
		}
	}
	generation := g.generation
	err := ErrGroupFull
	if g.c.use.members.Load()+total <= g.c.cfg.MaxMemberBytes {
		g.storing = true
		err = g.store(shares, func(err error) {
			g.mu.Lock()
			defer g.c.release(g)
			if g.storing && g.state == CompletingRebalance && g.generation == generation {
				g.assigned(shares, err)
			}
		})
	}
	if err != nil {
		g.assigned(nil, err)
	}
}

// assigned makes the group stable, or has all members join again when the assignment was not stored.
func (g *group) assigned(shares map[MemberID][]byte, err error) {
	g.storing = false
	if err != nil {
		g.c.cfg.Logger.Warn("could not store a group's assignment", "group", g.id, "generation", g.generation, "error", err)
		g.failSyncs(err)
		g.rebalance()
		return
	}
	for _, m := range g.members {
		m.assignment = shares[m.id]
		g.book(m)
		if m.sync != nil {
			g.alive(m)
			m.answerSync(g.shareOf(m), nil)
		}
	}
	g.become(Stable)
	g.c.cfg.Logger.Debug("group is stable", "group", g.id, "generation", g.generation, "members", len(g.members))
}

// store appends the group's metadata to the log; done, if there is one, is called when it is durable,
// without the group's lock. nil shares stand for the assignments that hold.
func (g *group) store(shares map[MemberID][]byte, done func(error)) error {
	value := g.encode(shares, time.Now())
	if len(value) > g.c.cfg.MaxRecord {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(value), g.c.cfg.MaxRecord)
	}
	if err := g.c.writer.Append([]statelog.Entry{{Key: metadataKey(g.id), Value: value}}, done); err != nil {
		return err
	}
	g.c.use.members.Add(int64(len(value) - len(g.stored)))
	g.stored = value
	return nil
}

// shareOf is the member's assignment as an answer.
func (g *group) shareOf(m *member) SyncResult {
	return SyncResult{ProtocolType: g.protocolType, Protocol: g.protocol, Data: m.assignment}
}

// failSyncs answers all who wait for an assignment.
func (g *group) failSyncs(err error) {
	for _, m := range g.members {
		if m.sync != nil {
			g.alive(m)
			m.answerSync(SyncResult{}, err)
		}
	}
}

// answerSync answers the member's waiting SyncGroup, if there is one.
func (m *member) answerSync(res SyncResult, err error) {
	if m.sync != nil {
		m.sync <- syncAnswer{res, err} // has room for it: this is the only answer
		m.sync = nil
	}
}
