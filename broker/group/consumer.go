package group

import (
	"maps"
	"slices"
	"time"

	"github.com/loghaul/loghaul/broker/group/assign"
	"github.com/loghaul/loghaul/internal/record"
)

// TopicID is a topic's lasting id.
type TopicID = assign.TopicID

// Slot is one partition of a topic, named by the topic's id.
type Slot = assign.Slot

// Epoch counts the changes of a consumer group, and says up to which of them a member has come (KIP-848).
// It never falls while the group exists.
type Epoch int32

const (
	// JoinEpoch is sent by who is not a member yet.
	JoinEpoch Epoch = 0
	// LeaveEpoch is sent by a member that goes for good.
	LeaveEpoch Epoch = -1
	// AwayEpoch is sent by a static member that goes and will come back.
	AwayEpoch Epoch = -2
)

// progress is where a consumer is on the way to its target, with Kafka's numbers.
type progress int8

const (
	// settled: it has all that it was to get by its epoch.
	settled progress = 0
	// revoking: it has been told to give partitions up and has not said that it did.
	revoking progress = 1
	// waiting: others still hold some of its partitions.
	waiting progress = 2
)

// Topics is what the groups see of the broker's topics.
type Topics interface {
	// Lookup finds a topic by its name.
	Lookup(name string) (id TopicID, partitions int32, ok bool)
	// Name finds a topic by its id.
	Name(id TopicID) (string, bool)
	// Names are all topics.
	Names() []string
}

// roster is the members of a group of the consumer protocol, guarded by the group's lock. The broker
// assigns: it knows which partitions each member is to have (its target) and leads it there in steps, so
// that a partition is given only when its former owner has let it go.
type roster struct {
	epoch       Epoch  // of the group: one more when members, subscriptions or topics have changed
	targetEpoch Epoch  // for which the targets were computed
	assigner    string // that computed them
	seen        int64  // hash of the subscribed topics at epoch

	consumers map[MemberID]*consumer
	instances map[InstanceID]MemberID
	owners    map[Slot]MemberID   // who holds a partition, or has yet to let it go
	patterns  map[string]*pattern // by regular expression; those that members subscribe with
	look      time.Time           // when the topics are looked at again

	last    record.Offset   // of the records of the last change
	unsaved bool            // the log could not take the last change: the next carries all
	erased  map[string]bool // while unsaved: keys of the log that are to be deleted, of what has gone
}

// consumer is one member of a group of the consumer protocol. It is replaced as a whole, never changed,
// except for its deadlines and what is noted of the log.
type consumer struct {
	id        MemberID
	instance  InstanceID
	rack      *string
	clientID  string
	host      string
	rebalance time.Duration // to give up partitions
	topics    []string      // subscribed by name, in order
	pattern   string        // subscribed by regular expression, may be empty
	assigner  string        // wished for, may be empty
	epoch     Epoch         // AwayEpoch: a static member that will come back
	previous  Epoch
	progress  progress
	assigned  map[Slot]Epoch // since when
	unrevoked map[Slot]Epoch // to be given up
	target    assign.Set
	bytes     int64 // counted in usage
	stored    bool  // the log may have records of it
	deadline  time.Time
	revokeEnd time.Time // zero: nothing to give up
}

func newRoster() *roster {
	return &roster{consumers: map[MemberID]*consumer{}, instances: map[InstanceID]MemberID{},
		owners: map[Slot]MemberID{}, patterns: map[string]*pattern{}, last: -1}
}

// size is what the consumer holds in memory, roughly, in bytes.
func (m *consumer) size() int64 {
	n := 512 + 2*len(m.id) + len(m.instance) + len(m.clientID) + len(m.host) + len(m.pattern) +
		48*(2*len(m.assigned)+len(m.unrevoked)+len(m.target))
	if m.rack != nil {
		n += len(*m.rack)
	}
	for _, t := range m.topics {
		n += 16 + len(t)
	}
	return int64(n)
}

// put makes m the member of its id, in place of what was there.
func (g *group) put(m *consumer) {
	r := g.roster
	was := r.consumers[m.id]
	if was != nil {
		g.c.use.members.Add(-was.bytes)
		r.release(was)
	}
	if was == nil || !m.revokeEnd.Equal(was.revokeEnd) || m.deadline.Before(was.deadline) {
		g.retime = true // else its session only ends later: the group is looked at a little early, and says anew
	}
	m.bytes = m.size()
	g.c.use.members.Add(m.bytes)
	r.consumers[m.id] = m
	if m.instance != "" {
		r.instances[m.instance] = m.id
	}
	for slot := range m.assigned {
		r.owners[slot] = m.id
	}
	for slot := range m.unrevoked {
		r.owners[slot] = m.id
	}
}

// remove takes a member out; what it held is free.
func (g *group) remove(m *consumer) {
	r := g.roster
	g.c.use.members.Add(-m.bytes)
	r.release(m)
	delete(r.consumers, m.id)
	if r.instances[m.instance] == m.id {
		delete(r.instances, m.instance)
	}
	g.retime = true
}

// release frees what a member holds.
func (r *roster) release(m *consumer) {
	for slot := range m.assigned {
		r.free(slot, m.id)
	}
	for slot := range m.unrevoked {
		r.free(slot, m.id)
	}
}

func (r *roster) free(slot Slot, id MemberID) {
	if r.owners[slot] == id {
		delete(r.owners, slot)
	}
}

// restate gives the group the state that its members are in.
func (g *group) restate() {
	state := Stable
	switch r := g.roster; {
	case len(r.consumers) == 0:
		state = Empty
	case r.epoch > r.targetEpoch:
		state = Assigning
	case r.onTheWay():
		state = Reconciling
	}
	if state != g.state {
		g.become(state)
	}
}

// onTheWay says whether some member has not come to its target yet.
func (r *roster) onTheWay() bool {
	for _, m := range r.consumers {
		if m.progress != settled || m.epoch != r.targetEpoch {
			return true
		}
	}
	return false
}

// wants says whether a member subscribes to a topic, by name or by regular expression.
func (r *roster) wants(topic string) bool {
	for _, m := range r.consumers {
		if _, ok := slices.BinarySearch(m.topics, topic); ok {
			return true
		}
	}
	for _, p := range r.patterns {
		if p.topics[topic] {
			return true
		}
	}
	return false
}

// names are the topics that members subscribe to, by name or by regular expression.
func (r *roster) names() map[string]bool {
	names := map[string]bool{}
	var last []string
	for _, m := range r.consumers {
		if slices.Equal(m.topics, last) { // most subscribe alike
			continue
		}
		last = m.topics
		for _, t := range m.topics {
			names[t] = true
		}
	}
	for _, p := range r.patterns {
		maps.Copy(names, p.topics)
	}
	return names
}
