package group

// Heartbeat says that a member is alive. ErrRebalancing asks it to join again.
func (c *Coordinator) Heartbeat(id ID, member MemberID, instance InstanceID, generation Generation) error {
	if !validID(id) {
		return ErrInvalidGroup
	}
	g := c.acquire(id, false)
	if g == nil {
		return ErrUnknownMember
	}
	defer c.release(g)
	m, err := g.check(member, instance)
	if err != nil {
		return err
	}
	if generation != g.generation {
		return ErrIllegalGeneration
	}
	g.alive(m)
	if g.state == PreparingRebalance {
		return ErrRebalancing
	}
	return nil
}

// Leaver is a member that leaves, or is removed by an administrator: then Member may be empty beside an Instance.
type Leaver struct {
	Member   MemberID
	Instance InstanceID
	Reason   string // for the log
}

// Leave takes members out of a group at once, instead of at the end of their sessions. The errors are
// those of the leavers, in their order; the last is about the request as a whole.
func (c *Coordinator) Leave(id ID, leavers []Leaver) ([]error, error) {
	if !validID(id) {
		return nil, ErrInvalidGroup
	}
	errs := make([]error, len(leavers))
	g := c.acquire(id, false)
	if g == nil {
		for i := range errs {
			errs[i] = ErrUnknownMember
		}
		return errs, nil
	}
	defer c.release(g)
	if g.roster != nil {
		return errs, g.leaveConsumers(leavers, errs)
	}
	before := len(g.members)
	for i, l := range leavers {
		errs[i] = g.leave(l)
	}
	if len(g.members) < before || g.state == PreparingRebalance { // an id given back may be what the others wait for
		g.shrunk()
	}
	return errs, nil
}

// leave drops one member, or an id that was given out; what that means for the others is the caller's to do.
func (g *group) leave(l Leaver) error {
	if _, ok := g.given[l.Member]; ok {
		g.takeBack(l.Member)
		return nil
	}
	if l.Instance != "" && l.Member == "" {
		l.Member = g.instances[l.Instance]
	}
	m, err := g.check(l.Member, l.Instance)
	if err != nil {
		return err
	}
	g.c.cfg.Logger.Info("member left", "group", g.id, m.who(), "reason", l.Reason)
	g.drop(m, ErrUnknownMember)
	return nil
}
