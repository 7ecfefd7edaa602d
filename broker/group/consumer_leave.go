package group

import (
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
)

// enroll makes sure that the group is one of the consumer protocol. An empty one of the classic protocol
// becomes one when a consumer joins; one with members stays what it is.
func (g *group) enroll(joins bool) error {
	if g.roster != nil {
		return nil
	}
	if !joins {
		return fmt.Errorf("%w: Group %s is not a consumer group.", ErrNotFound, g.id)
	}
	if g.state != Empty {
		return fmt.Errorf("%w: Cannot upgrade classic group %s to consumer group because online upgrade is disabled.", ErrNotFound, g.id)
	}
	if g.stored != nil {
		if err := g.c.writer.Append([]statelog.Entry{{Key: metadataKey(g.id)}}, nil); err != nil {
			return err
		}
		g.c.use.members.Add(-int64(len(g.stored)))
		g.stored = nil
	}
	for id := range g.given {
		g.takeBack(id)
	}
	g.roster, g.protocolType, g.generation, g.topics = newRoster(), "consumer", 0, nil
	g.retime = true
	return nil
}

// declassify is the reverse for an empty consumer group that a classic member joins.
func (g *group) declassify() error {
	if g.roster == nil {
		return nil
	}
	if len(g.roster.consumers) > 0 {
		return ErrInconsistentProtocol
	}
	if err := g.c.writer.Append(g.rosterTombstones(), nil); err != nil {
		return err
	}
	g.disband()
	return nil
}

// disband makes a consumer group without members one of no protocol.
func (g *group) disband() {
	for _, p := range g.roster.patterns {
		g.c.use.members.Add(-p.bytes)
	}
	g.roster, g.protocolType, g.retime = nil, "", true
}

// staticConsumer finds or makes the member of a lasting name. One that said it would come back is
// replaced by its new self, which takes over what it had.
func (g *group) staticConsumer(r *ConsumerRequest, ch *change) (*consumer, error) {
	holder := g.roster.consumers[g.roster.instances[r.Instance]]
	switch {
	case holder == nil && r.Epoch == JoinEpoch && g.roster.consumers[r.Member] != nil:
		return nil, fmt.Errorf("%w: member %s is no static member", ErrFencedEpoch, r.Member)
	case holder == nil && r.Epoch == JoinEpoch:
		return &consumer{id: r.Member, rebalance: -1}, nil
	case holder == nil:
		return nil, unknownInstance(r.Instance)
	case r.Epoch == JoinEpoch && holder.epoch != AwayEpoch:
		return nil, fmt.Errorf("%w: Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.",
			ErrUnreleasedInstance, r.Member, r.Instance, holder.id)
	case r.Epoch == JoinEpoch:
		self := *holder
		self.id, self.epoch, self.previous, self.bytes, self.stored = r.Member, 0, 0, 0, false
		ch.was = holder
		ch.gone(g, holder)
		ch.aimed(&self)
		return &self, nil
	case holder.id != r.Member:
		return nil, fencedBy(holder, r.Member)
	}
	return holder, holder.checkEpoch(r)
}

// consumerLeaves takes a member out, or notes that a static one is away.
func (g *group) consumerLeaves(r ConsumerRequest, ch *change) (ConsumerResult, error) {
	m, err := g.leavingConsumer(r.Member, r.Instance)
	if err != nil {
		return ConsumerResult{}, err
	}
	if r.Epoch == AwayEpoch {
		away := *m
		away.epoch, away.unrevoked, away.revokeEnd = AwayEpoch, nil, time.Time{}
		g.put(&away)
		ch.current(&away)
		g.restate()
	} else {
		g.dismiss(m, ch)
	}
	g.c.cfg.Logger.Info("consumer left", "group", g.id, m.who(), "epoch", int(r.Epoch))
	return ConsumerResult{Member: m.id, Epoch: r.Epoch}, nil
}

// leavingConsumer is the member that leaves, known by its lasting name if it has one.
func (g *group) leavingConsumer(id MemberID, instance InstanceID) (*consumer, error) {
	m := g.roster.consumers[id]
	if instance != "" {
		m = g.roster.consumers[g.roster.instances[instance]]
	}
	switch {
	case m == nil && instance != "":
		return nil, unknownInstance(instance)
	case m == nil:
		return nil, unknownConsumer(g.id, id)
	case m.id != id && id != "":
		return nil, fencedBy(m, id)
	}
	return m, nil
}

// leaveConsumers is Leave for a consumer group: an administrator removes members. The error is about all
// of them.
func (g *group) leaveConsumers(leavers []Leaver, errs []error) error {
	var ch change
	for i, l := range leavers {
		var m *consumer
		if m, errs[i] = g.leavingConsumer(l.Member, l.Instance); errs[i] == nil {
			g.c.cfg.Logger.Info("consumer removed", "group", g.id, m.who(), "reason", l.Reason)
			g.dismiss(m, &ch)
		}
	}
	return g.save(&ch, nil)
}

func unknownInstance(instance InstanceID) error {
	return fmt.Errorf("%w: Instance id %s is unknown.", ErrUnknownMember, instance)
}

func fencedBy(holder *consumer, id MemberID) error {
	return fmt.Errorf("%w: Static member %s with instance id %s was fenced by member %s.", ErrFencedInstance, id, holder.instance, holder.id)
}

// dismiss takes a member out for good, and calls for new targets.
func (g *group) dismiss(m *consumer, ch *change) {
	g.remove(m)
	ch.gone(g, m)
	g.dropPatterns(ch)
	g.roster.seen = g.hashTopics()
	g.roster.epoch++
	ch.epoch = true
	g.restate()
}

// tickConsumers removes those who have said nothing for their session, or have not let go in time.
func (g *group) tickConsumers(now time.Time) {
	var ch change
	for _, m := range g.consumersInOrder() {
		switch {
		case !now.Before(m.deadline):
			g.c.cfg.Logger.Info("consumer removed: no heartbeat within its session", "group", g.id, m.who())
			g.dismiss(m, &ch)
		case !m.revokeEnd.IsZero() && !now.Before(m.revokeEnd):
			g.c.cfg.Logger.Info("consumer removed: it did not give up its partitions in time", "group", g.id, m.who(), "timeout", m.rebalance)
			g.dismiss(m, &ch)
		}
	}
	if err := g.save(&ch, nil); err != nil {
		g.c.cfg.Logger.Warn("could not store that consumers are gone", "group", g.id, "error", err)
	}
}
