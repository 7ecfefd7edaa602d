package group

// takeOver puts a static member that has come back under a new id in the place of its former self, m
// (KIP-345). While the group is stable and the choice of protocol stays, nobody else is disturbed.
func (g *group) takeOver(m *member, id MemberID, r JoinRequest, answer chan joinAnswer) (*member, JoinResult, error) {
	m.answerJoin(JoinResult{Member: m.id, Generation: -1}, ErrFencedInstance)
	m.answerSync(SyncResult{}, ErrFencedInstance)
	if !g.update(m, r, answer) {
		return nil, JoinResult{Member: r.Member, Generation: -1}, ErrGroupFull
	}
	formerLeader := g.leader
	g.rename(m, id)
	if g.state != Stable || g.selectProtocol() != g.protocol {
		// After the barrier the leader may already have been told of the former id, and would assign
		// to that one: call all together again.
		g.rebalance()
		return m, JoinResult{}, nil
	}
	res := g.placeOf(m)
	if g.leader == m.id && r.MaySkip {
		res.SkipAssignment = true
	} else if g.leader == m.id {
		// Before v9 there is no word for "keep the assignment": a returning leader that is told its
		// former id takes itself for a follower and asks for what it has.
		res.Leader, res.Members = formerLeader, nil
	}
	generation := g.generation
	err := g.store(nil, func(err error) {
		g.mu.Lock()
		defer g.c.release(g)
		if m.join == answer && g.state == Stable && g.generation == generation {
			g.alive(m)
			g.retime = true
			m.answerJoin(res, err)
		} // otherwise the barrier that has begun since will answer
	})
	if err != nil {
		m.answerJoin(res, err)
	}
	return m, JoinResult{}, nil
}

// rename gives a member another id; the former one is unknown from now on.
func (g *group) rename(m *member, id MemberID) {
	delete(g.members, m.id)
	if g.unsynced[m.id] {
		delete(g.unsynced, m.id)
		g.unsynced[id] = true
	}
	if g.leader == m.id {
		g.leader = id
	}
	m.id = id
	g.members[id] = m
	g.instances[m.instance] = id
	g.book(m)
}
