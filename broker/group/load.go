package group

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Load reads the state back from the log. Call it once, before Run and the first request. Members that
// were there are members again, with their sessions begun anew, so a restart does not rebalance anyone.
// A record that makes no sense is passed over and logged; a damaged batch is an error that names it.
func (c *Coordinator) Load(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	bad := 0
	err := c.writer.Load(ctx, c.cfg.MaxRecord, c.read, func(at record.Offset, err error) {
		bad++
		c.cfg.Logger.Warn("passing over a record of the groups' log", "topic", Topic, "offset", int64(at), "error", err)
	})
	if err != nil {
		return fmt.Errorf("loading the groups: %w", err)
	}
	for _, g := range c.mu.groups {
		g.wakeUp(c)
	}
	c.cfg.Logger.Debug("groups loaded", "groups", len(c.mu.groups), "passed_over", bad)
	return nil
}

// loaded is the group of that id while the log is being read.
func (c *Coordinator) loaded(id ID) *group {
	g := c.mu.groups[id]
	if g == nil {
		g = newGroup(id, c)
		c.mu.groups[id] = g
	}
	return g
}

// restore makes the group what its record says; nil raw is a group that was removed.
func (g *group) restore(v kmsg.GroupMetadataValue, raw []byte) {
	g.c.use.members.Add(int64(len(raw) - len(g.stored)))
	g.stored = bytes.Clone(raw)
	for _, m := range g.members {
		g.c.use.members.Add(-m.bytes)
	}
	clear(g.members)
	clear(g.instances)
	if raw != nil {
		g.roster = nil
	}
	g.generation, g.protocolType, g.protocol, g.leader = Generation(v.Generation), v.ProtocolType, "", ""
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	if v.Leader != nil {
		g.leader = MemberID(*v.Leader)
	}
	g.state, g.since = Empty, time.Now()
	if v.CurrentStateTimestamp > 0 {
		g.since = time.UnixMilli(v.CurrentStateTimestamp)
	}
	for _, s := range v.Members {
		g.arrivals++
		m := &member{id: MemberID(s.MemberID), clientID: s.ClientID, host: s.ClientHost, arrival: g.arrivals,
			session: time.Duration(s.SessionTimeoutMillis) * time.Millisecond, rebalance: time.Duration(s.RebalanceTimeoutMillis) * time.Millisecond,
			protocols: []Protocol{{g.protocol, bytes.Clone(s.Subscription)}}, assignment: bytes.Clone(s.Assignment)}
		if s.InstanceID != nil {
			m.instance = InstanceID(*s.InstanceID)
			g.instances[m.instance] = m.id
		}
		g.members[m.id] = m
		g.book(m)
		g.state = Stable
	}
}

// wakeUp begins the life of a group that has been read whole.
func (g *group) wakeUp(c *Coordinator) {
	if g.roster != nil {
		g.wakeRoster()
	}
	if g.vacant() {
		c.unlist(g)
		return
	}
	for _, m := range g.members {
		m.session = max(m.session, c.cfg.MinSession)
		g.alive(m)
	}
	g.readTopics()
	c.deadlines.set(g, g.nextWake())
}
