package group

import (
	"bytes"
	"context"
	"time"
)

// JoinRequest asks for a place in a group's next generation.
type JoinRequest struct {
	Group          ID
	Member         MemberID   // empty: a new member
	Instance       InstanceID // empty: an ordinary member
	ClientID, Host string     // for those who describe the group
	Session        time.Duration
	Rebalance      time.Duration // how long the member may take to join again
	ProtocolType   string
	Protocols      []Protocol // copied
	RequireID      bool       // JoinGroup v4+: a new member is sent back with its id first (KIP-394)
	MaySkip        bool       // JoinGroup v9+: a static leader that returns can be told to keep the assignment
}

// JoinResult is a member's place in a generation.
type JoinResult struct {
	Member         MemberID
	Generation     Generation
	ProtocolType   string
	Protocol       string
	Leader         MemberID
	SkipAssignment bool
	Members        []JoinedMember // for the leader alone
}

// JoinedMember is what the leader learns of a member. Metadata must not be changed.
type JoinedMember struct {
	ID       MemberID
	Instance InstanceID
	Metadata []byte
}

type joinAnswer struct {
	JoinResult
	err error
}

// PendingJoin is a JoinGroup that has been taken and may have to wait.
type PendingJoin struct {
	c      *Coordinator
	g      *group
	m      *member // nil: res and err are the answer
	answer chan joinAnswer
	res    JoinResult
	err    error
}

// Join puts a member into a group. Wait, which must follow, returns its place.
func (c *Coordinator) Join(r JoinRequest) *PendingJoin {
	refuse := func(err error) *PendingJoin {
		return &PendingJoin{res: JoinResult{Member: r.Member, Generation: -1}, err: err}
	}
	if !validID(r.Group) {
		return refuse(ErrInvalidGroup)
	}
	if r.Session < c.cfg.MinSession || r.Session > c.cfg.MaxSession {
		return refuse(ErrSessionTimeout)
	}
	g := c.acquire(r.Group, r.Member == "")
	switch {
	case g == nil && r.Member == "":
		return refuse(ErrGroupFull)
	case g == nil:
		return refuse(ErrUnknownMember)
	}
	defer c.release(g)
	if err := g.declassify(); err != nil {
		return &PendingJoin{res: JoinResult{Generation: -1}, err: err}
	}
	p := &PendingJoin{c: c, g: g, answer: make(chan joinAnswer, 1)}
	p.m, p.res, p.err = g.join(r, p.answer)
	return p
}

// Wait returns when the generation that the member belongs to begins, or with the reason why not. When
// ctx ends first, the member stays until its session ends. With ErrMemberIDRequired comes the id to join
// with.
func (p *PendingJoin) Wait(ctx context.Context) (JoinResult, error) {
	if p.m == nil {
		return p.res, p.err
	}
	err := ErrStopped
	select {
	case a := <-p.answer:
		return a.JoinResult, a.err
	case <-p.c.stopped:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.g.mu.Lock()
	defer p.c.release(p.g)
	if p.m.join == p.answer { // nobody waits any more: its session counts from now
		p.m.join, p.g.retime = nil, true
		p.g.alive(p.m)
	}
	return JoinResult{Member: p.m.id, Generation: -1}, err
}

// join decides about one request. A member means that the answer comes by the channel.
func (g *group) join(r JoinRequest, answer chan joinAnswer) (*member, JoinResult, error) {
	_, given := g.given[r.Member]
	_, known := g.members[r.Member]
	refuse := func(err error) (*member, JoinResult, error) {
		return nil, JoinResult{Member: r.Member, Generation: -1}, err
	}
	if !given && !known && len(g.members)+len(g.given) >= g.c.cfg.MaxMembers {
		return refuse(ErrGroupFull)
	}
	if !g.supports(r.ProtocolType, r.Protocols) {
		return refuse(ErrInconsistentProtocol)
	}
	if r.Member == "" {
		return g.joinNew(r, answer)
	}
	if given && r.Instance == "" {
		g.takeBack(r.Member)
		return g.add(r.Member, r, answer)
	}
	m, err := g.check(r.Member, r.Instance)
	if err != nil {
		return refuse(err)
	}
	unchanged := m.offers(r.Protocols)
	switch {
	case g.state == CompletingRebalance && unchanged, // it may have missed the first answer
		g.state == Stable && unchanged && g.leader != m.id: // a leader rejoins to assign anew (topics have changed)
		g.alive(m)
		return nil, g.placeOf(m), nil
	case g.state == Empty:
		return refuse(ErrUnknownMember)
	}
	if !g.update(m, r, answer) {
		return refuse(ErrGroupFull)
	}
	g.rebalance()
	return m, JoinResult{}, nil
}

// joinNew takes someone who comes without an id.
func (g *group) joinNew(r JoinRequest, answer chan joinAnswer) (*member, JoinResult, error) {
	id := newMemberID(r.ClientID, r.Instance)
	if r.Instance != "" {
		if m := g.members[g.instances[r.Instance]]; m != nil {
			return g.takeOver(m, id, r, answer)
		}
		return g.add(id, r, answer)
	}
	if r.RequireID {
		// KIP-394: a client that never learns its id because the answer is lost leaves nothing but
		// this behind, which the end of its session removes.
		if !g.give(id, time.Now().Add(r.Session)) {
			return nil, JoinResult{Generation: -1}, ErrGroupFull
		}
		g.newcomer = true
		return nil, JoinResult{Member: id, Generation: -1}, ErrMemberIDRequired
	}
	return g.add(id, r, answer)
}

// giveBytes is what an id that was given out holds in memory beside its letters, in bytes.
const giveBytes = 256

// give remembers an id that may be joined with until then; false when there is no room for it.
func (g *group) give(id MemberID, until time.Time) bool {
	size := int64(giveBytes + len(id))
	if g.c.use.members.Load()+size > g.c.cfg.MaxMemberBytes {
		return false
	}
	g.c.use.members.Add(size)
	g.given[id] = until
	g.retime = true
	return true
}

// takeBack forgets an id that was given out.
func (g *group) takeBack(id MemberID) {
	if _, ok := g.given[id]; ok {
		g.c.use.members.Add(-int64(giveBytes + len(id)))
		delete(g.given, id)
		g.retime = true
	}
}

// add makes a member and begins a rebalance for it.
func (g *group) add(id MemberID, r JoinRequest, answer chan joinAnswer) (*member, JoinResult, error) {
	g.arrivals++
	m := &member{id: id, instance: r.Instance, arrival: g.arrivals}
	if !g.update(m, r, answer) {
		g.retime = true // an id given out may just have been used up
		return nil, JoinResult{Member: r.Member, Generation: -1}, ErrGroupFull
	}
	if len(g.members) == 0 {
		g.protocolType = r.ProtocolType
	}
	g.members[id] = m
	if r.Instance != "" {
		g.instances[r.Instance] = id
	}
	if g.leader == "" {
		g.leader = id
	}
	g.newcomer = true
	g.rebalance()
	return m, JoinResult{}, nil
}

// update takes over what a member now offers and lets its request wait; false when there is no room.
func (g *group) update(m *member, r JoinRequest, answer chan joinAnswer) bool {
	fresh := *m
	fresh.clientID, fresh.host = r.ClientID, r.Host
	fresh.session, fresh.rebalance, fresh.protocols = r.Session, r.Rebalance, cloneProtocols(r.Protocols)
	if !g.count(&fresh) {
		return false
	}
	m.answerJoin(JoinResult{Member: m.id, Generation: -1}, ErrRebalancing) // an older request of the same member
	fresh.join = answer
	*m = fresh
	g.alive(m)
	g.retime = true
	return true
}

// count books what a member holds; false when that would be too much for all groups together.
func (g *group) count(m *member) bool {
	more := m.size() - m.bytes
	if more > 0 && g.c.use.members.Load()+more > g.c.cfg.MaxMemberBytes {
		return false
	}
	g.book(m)
	return true
}

// book counts what a member holds, whatever the limit.
func (g *group) book(m *member) {
	size := m.size()
	g.c.use.members.Add(size - m.bytes)
	m.bytes = size
}

// placeOf is a member's place in the generation that has begun.
func (g *group) placeOf(m *member) JoinResult {
	res := JoinResult{Member: m.id, Generation: g.generation, ProtocolType: g.protocolType,
		Protocol: g.protocol, Leader: g.leader}
	if m.id == g.leader {
		for _, other := range g.inOrder() {
			metadata, _ := other.metadata(g.protocol)
			res.Members = append(res.Members, JoinedMember{other.id, other.instance, metadata})
		}
	}
	return res
}

// answerJoin answers the member's waiting JoinGroup, if there is one.
func (m *member) answerJoin(res JoinResult, err error) {
	if m.join != nil {
		m.join <- joinAnswer{res, err} // has room for it: this is the only answer
		m.join = nil
	}
}

func cloneProtocols(list []Protocol) []Protocol {
	out := make([]Protocol, len(list))
	for i, p := range list {
		out[i] = Protocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)}
	}
	return out
}
