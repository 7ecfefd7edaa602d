package group

import "time"

// rebalance calls the members together, unless that has been done already, and begins the next
// generation when none is missing.
func (g *group) rebalance() {
	if g.state != PreparingRebalance {
		g.failSyncs(ErrRebalancing)
		clear(g.unsynced)
		g.syncEnd, g.storing = time.Time{}, false
		now := time.Now()
		g.joinEnd = now.Add(g.rebalanceTimeout())
		if g.state == Empty && g.c.cfg.InitialDelay > 0 {
			g.meetEnd = earlier(now.Add(g.c.cfg.InitialDelay), g.joinEnd)
			g.newcomer = false
		}
		g.become(PreparingRebalance)
	}
	g.tryBegin()
}

// tryBegin begins the next generation if all are there and the time to meet is over.
func (g *group) tryBegin() {
	if g.state != PreparingRebalance || !g.meetEnd.IsZero() || len(g.given) > 0 {
		return
	}
	for _, m := range g.members {
		if m.join == nil {
			return
		}
	}
	g.begin()
}

// begin starts the next generation with those who have come. An ordinary member that has not is
// removed; a static one keeps its place until its session ends.
func (g *group) begin() {
	g.meetEnd, g.newcomer = time.Time{}, false
	for _, m := range g.inOrder() {
		if m.join == nil && m.instance == "" {
			g.drop(m, ErrUnknownMember)
		}
	}
	if len(g.members) == 0 {
		g.beginEmpty()
		return
	}
	if !g.electLeader() {
		g.joinEnd = time.Now().Add(g.rebalanceTimeout()) // only absent static members: wait for one or for their end
		g.retime = true
		return
	}
	g.generation++
	g.protocol = g.selectProtocol()
	g.readTopics()
	g.become(CompletingRebalance)
	g.syncEnd = time.Now().Add(g.rebalanceTimeout())
	for _, m := range g.inOrder() {
		if m.join != nil {
			g.unsynced[m.id] = true
			m.answerJoin(g.placeOf(m), nil)
			g.alive(m)
		}
	}
}

// beginEmpty is the generation of nobody: from here on the offsets age.
func (g *group) beginEmpty() {
	g.generation++
	g.protocol, g.leader, g.topics = "", "", nil
	g.become(Empty)
	if g.stored == nil && len(g.offsets) == 0 {
		return // never was a generation that anyone was told to be durable
	}
	if err := g.store(nil, nil); err != nil {
		g.c.cfg.Logger.Warn("could not store that a group is empty", "group", g.id, "error", err)
	}
}

// electLeader makes sure that the leader is one who has come: the earliest, if the old one has not.
func (g *group) electLeader() bool {
	if m := g.members[g.leader]; m != nil && m.join != nil {
		return true
	}
	for _, m := range g.inOrder() {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// drop takes a member out and answers what it waits for.
func (g *group) drop(m *member, err error) {
	m.answerJoin(JoinResult{Member: m.id, Generation: -1}, err)
	m.answerSync(SyncResult{}, err)
	g.c.use.members.Add(-m.bytes)
	delete(g.members, m.id)
	delete(g.unsynced, m.id)
	if m.instance != "" {
		delete(g.instances, m.instance)
	}
	if g.leader == m.id {
		g.leader = ""
		if rest := g.inOrder(); len(rest) > 0 {
			g.leader = rest[0].id
		}
	}
	g.retime = true
}

// shrunk goes on after members have been dropped: the others share what they had.
func (g *group) shrunk() {
	switch g.state {
	case Stable, CompletingRebalance:
		g.rebalance()
	case PreparingRebalance:
		g.tryBegin()
	}
}

// tick acts on every deadline that has passed.
func (g *group) tick() {
	now := time.Now()
	g.retime = true
	if g.roster != nil {
		g.tickConsumers(now)
		return
	}
	for id, until := range g.given {
		if !now.Before(until) {
			g.takeBack(id)
		}
	}
	gone := 0
	for _, m := range g.inOrder() {
		if !m.waits() && !now.Before(m.deadline) {
			g.c.cfg.Logger.Info("member removed: no heartbeat within its session", "group", g.id, m.who(), "session", m.session)
			g.drop(m, ErrUnknownMember)
			gone++
		}
	}
	if !g.syncEnd.IsZero() && !now.Before(g.syncEnd) {
		g.syncEnd = time.Time{}
		for id := range g.unsynced {
			g.c.cfg.Logger.Info("member removed: it joined and did not ask for its assignment", "group", g.id, g.members[id].who())
			g.drop(g.members[id], ErrUnknownMember)
			gone++
		}
	}
	if gone > 0 {
		g.shrunk()
	}
	if g.state == PreparingRebalance {
		g.tickBarrier(now)
	}
}

// tickBarrier ends the time to meet, and the barrier itself.
func (g *group) tickBarrier(now time.Time) {
	switch {
	case !now.Before(g.joinEnd):
		g.begin()
	case !g.meetEnd.IsZero() && !now.Before(g.meetEnd) && g.newcomer:
		g.newcomer = false
		g.meetEnd = earlier(now.Add(g.c.cfg.InitialDelay), g.joinEnd)
	case !g.meetEnd.IsZero() && !now.Before(g.meetEnd):
		g.begin()
	default:
		g.tryBegin()
	}
}

// nextWake is the earliest deadline that counts in this state; zero: none.
func (g *group) nextWake() time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if g.state == Dead {
		return next
	}
	if g.roster != nil {
		for _, m := range g.roster.consumers {
			consider(m.deadline)
			consider(m.revokeEnd)
		}
		return next
	}
	for _, until := range g.given {
		consider(until)
	}
	for _, m := range g.members {
		if !m.waits() {
			consider(m.deadline)
		}
	}
	consider(g.syncEnd)
	if g.state == PreparingRebalance {
		consider(g.meetEnd)
		consider(g.joinEnd)
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
