package group

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ConsumerRequest is a consumer's word about itself: that it is alive, what it wants and what it has.
type ConsumerRequest struct {
	Group          ID
	Member         MemberID // chosen by the client; empty: chosen here
	Epoch          Epoch
	Instance       InstanceID
	Rack           *string       // nil: as before
	Rebalance      time.Duration // to give up partitions; negative: as before
	Topics         []string      // nil: as before
	Pattern        *string       // nil: as before; "": none
	Assigner       *string       // nil: as before
	Owned          []Slot        // nil: not said
	ClientID, Host string
	May            func(topic string) bool // which topics a regular expression may find; nil: all
}

// ConsumerResult is where a consumer stands.
type ConsumerResult struct {
	Member   MemberID
	Epoch    Epoch
	Interval time.Duration // until its next heartbeat
	Assigned []Slot        // in order; nil: as before
}

// PendingConsumer is a heartbeat that has been taken and may wait for the disk.
type PendingConsumer struct {
	res  ConsumerResult
	err  error
	done chan error // nil: res and err are the answer
}

// ConsumerHeartbeat lets a consumer join, live, change or leave (KIP-848). Wait, which must follow, says
// where it stands, once that is durable.
func (c *Coordinator) ConsumerHeartbeat(r ConsumerRequest) *PendingConsumer {
	if err := r.check(c.cfg.Assigners); err != nil {
		return &PendingConsumer{err: err}
	}
	g := c.acquire(r.Group, r.Epoch == JoinEpoch)
	if g == nil && r.Epoch == JoinEpoch {
		return &PendingConsumer{err: ErrGroupFull}
	}
	if g == nil {
		what := "Group"
		if r.Epoch >= 0 {
			what = "Consumer group"
		}
		return &PendingConsumer{err: fmt.Errorf("%w: %s %s not found.", ErrNotFound, what, r.Group)}
	}
	defer c.release(g)
	if err := g.enroll(r.Epoch == JoinEpoch); err != nil {
		return &PendingConsumer{err: err}
	}
	var ch change
	var res ConsumerResult
	var err error
	if r.Epoch < 0 {
		res, err = g.consumerLeaves(r, &ch)
	} else {
		res, err = g.consumerLives(r, &ch)
	}
	if err != nil {
		return &PendingConsumer{err: err}
	}
	return g.answerWhenStored(res, &ch)
}

// Wait returns when what the heartbeat has changed is durable, or with the reason why not, or when ctx ends.
func (p *PendingConsumer) Wait(ctx context.Context) (ConsumerResult, error) {
	if p.done == nil {
		return p.res, p.err
	}
	select {
	case err := <-p.done:
		return p.res, err
	case <-ctx.Done():
		return ConsumerResult{}, context.Cause(ctx)
	}
}

// check holds a request against itself.
func (r ConsumerRequest) check(assigners []string) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalidRequest}, args...)...)
	}
	switch {
	case r.Group == "":
		return invalid("GroupId can't be empty.")
	case len(r.Group) > MaxIDBytes || len(r.Member) > MaxIDBytes || len(r.Instance) > MaxIDBytes:
		return invalid("an id is longer than %d bytes.", MaxIDBytes)
	case r.Epoch < AwayEpoch:
		return invalid("MemberEpoch is invalid.")
	case r.Epoch != JoinEpoch && r.Member == "":
		return invalid("MemberId can't be empty.")
	case r.Epoch == AwayEpoch && r.Instance == "":
		return invalid("InstanceId can't be null.")
	case r.Rack != nil && *r.Rack == "":
		return invalid("RackId can't be empty.")
	case r.Epoch == JoinEpoch && r.Rebalance < 0:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case r.Epoch == JoinEpoch && (r.Owned == nil || len(r.Owned) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case r.Epoch == JoinEpoch && r.Topics == nil && r.Pattern == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	case r.Assigner != nil && !slices.Contains(assigners, *r.Assigner):
		return fmt.Errorf("%w: ServerAssignor %s is not supported. Supported assignors: %s.", ErrAssigner, *r.Assigner, strings.Join(assigners, ", "))
	}
	return checkPattern(r.Pattern)
}

// consumerLives takes the heartbeat of someone who is or becomes a member.
func (g *group) consumerLives(r ConsumerRequest, ch *change) (ConsumerResult, error) {
	was, err := g.consumerOf(&r, ch)
	if err != nil {
		return ConsumerResult{}, err
	}
	m := was.with(r)
	if more := m.size() - m.bytes + g.room(m); more > 0 && g.c.use.members.Load()+more > g.c.cfg.MaxMemberBytes {
		return ConsumerResult{}, ErrGroupFull
	}
	if ch.was != nil { // in place of a former self
		g.remove(ch.was)
	}
	isNew := g.roster.consumers[m.id] == nil
	g.put(m)
	if isNew || !m.describesAs(was) {
		ch.member(m)
	}
	wants := !slices.Equal(m.topics, was.topics) || m.pattern != was.pattern
	g.notice(wants, m, r.May, ch)
	g.aim(ch)
	m = g.roster.consumers[m.id]
	next := g.reconcile(m, r.Owned)
	session, interval := g.consumerTimes()
	next.deadline = time.Now().Add(session)
	if !next.stands(m) || isNew {
		ch.current(next)
	}
	g.put(next)
	g.restate()
	res := ConsumerResult{Member: m.id, Epoch: next.epoch, Interval: interval}
	full := r.Rebalance >= 0 && (r.Topics != nil || r.Pattern != nil) && r.Owned != nil
	if r.Epoch == JoinEpoch || full || !sameSlots(was.assigned, next.assigned) {
		res.Assigned = sortedSlots(next.assigned)
	}
	return res, nil
}

// consumerOf finds or makes the member that a request speaks for.
func (g *group) consumerOf(r *ConsumerRequest, ch *change) (*consumer, error) {
	known := g.roster.consumers[r.Member] != nil
	if !known && len(g.roster.consumers) >= g.c.cfg.MaxConsumers && g.roster.instances[r.Instance] == "" {
		return nil, ErrGroupFull
	}
	if r.Member == "" {
		r.Member = newConsumerID()
	}
	if r.Instance != "" {
		return g.staticConsumer(r, ch)
	}
	m := g.roster.consumers[r.Member]
	switch {
	case m == nil && r.Epoch == JoinEpoch:
		return &consumer{id: r.Member, rebalance: -1}, nil
	case m == nil:
		return nil, unknownConsumer(g.id, r.Member)
	}
	return m, m.checkEpoch(r)
}

// checkEpoch fences a member that is not where the group knows it to be. One that comes with its former
// epoch, and nothing that it should not have, has missed an answer.
func (m *consumer) checkEpoch(r *ConsumerRequest) error {
	const sentence = "%w: The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). " +
		"The member must abandon all its partitions and rejoin."
	switch {
	case r.Epoch == m.epoch, r.Epoch == JoinEpoch: // who joins again says that it owns nothing
		return nil
	case r.Epoch > m.epoch:
		return fmt.Errorf(sentence, ErrFencedEpoch, "greater", r.Epoch, m.epoch)
	case r.Epoch != m.previous || r.Owned == nil || slices.ContainsFunc(r.Owned, func(s Slot) bool { _, ok := m.assigned[s]; return !ok }):
		return fmt.Errorf(sentence, ErrFencedEpoch, "smaller", r.Epoch, m.epoch)
	}
	return nil
}

func unknownConsumer(id ID, m MemberID) error {
	return fmt.Errorf("%w: Member %s is not a member of group %s.", ErrUnknownMember, m, id)
}

// with is the member as its request describes it.
func (m *consumer) with(r ConsumerRequest) *consumer {
	n := *m
	n.clientID, n.host = r.ClientID, r.Host
	if r.Instance != "" {
		n.instance = r.Instance
	}
	if r.Rack != nil {
		rack := *r.Rack
		n.rack = &rack
	}
	if r.Rebalance >= 0 {
		n.rebalance = r.Rebalance
	}
	if r.Topics != nil {
		n.topics = slices.Compact(slices.Sorted(slices.Values(r.Topics)))
	}
	if r.Pattern != nil {
		n.pattern = *r.Pattern
	}
	if r.Assigner != nil {
		n.assigner = *r.Assigner
	}
	return &n
}

// describesAs says whether two states of a member say the same about who it is and what it wants.
func (m *consumer) describesAs(o *consumer) bool {
	rack := func(m *consumer) string {
		if m.rack == nil {
			return ""
		}
		return *m.rack
	}
	return m.instance == o.instance && rack(m) == rack(o) && m.clientID == o.clientID && m.host == o.host &&
		m.rebalance == o.rebalance && slices.Equal(m.topics, o.topics) && m.pattern == o.pattern && m.assigner == o.assigner
}

// stands says whether two states of a member stand at the same place.
func (m *consumer) stands(o *consumer) bool {
	return m.epoch == o.epoch && m.previous == o.previous && m.progress == o.progress &&
		maps.Equal(m.assigned, o.assigned) && maps.Equal(m.unrevoked, o.unrevoked)
}

func sameSlots(a, b map[Slot]Epoch) bool {
	return maps.EqualFunc(a, b, func(Epoch, Epoch) bool { return true })
}

// sortedSlots are the partitions in order, never nil.
func sortedSlots(m map[Slot]Epoch) []Slot {
	list := make([]Slot, 0, len(m))
	for s := range m {
		list = append(list, s)
	}
	slices.SortFunc(list, Slot.Compare)
	return list
}

// newConsumerID is an id that nobody has, in the form of Kafka's: 16 random bytes in 22 letters.
func newConsumerID() MemberID {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return MemberID(base64.RawURLEncoding.EncodeToString(u[:]))
}
