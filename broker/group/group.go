package group

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ID names a consumer group, "loghaul-file" for one.
type ID string

// Generation counts a group's rebalances, from 1; it never falls while the group exists.
type Generation int32

// State is where a group is between two generations.
type State int8

const (
	// Empty is a group without members; it may have offsets.
	Empty State = iota
	// PreparingRebalance is a group that waits for its members to join.
	PreparingRebalance
	// CompletingRebalance is a group whose members have joined and wait for the leader's assignment.
	CompletingRebalance
	// Stable is a group in which each member has its assignment.
	Stable
	// Dead is a group that has been removed.
	Dead
	// Assigning is a consumer group whose targets are to be computed (KIP-848).
	Assigning
	// Reconciling is a consumer group of which some member has not come to its target yet.
	Reconciling
)

// String is the state's name in the Kafka protocol.
func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Assigning", "Reconciling"}[s]
}

// group is one consumer group. Its methods expect mu to be held.
type group struct {
	id ID
	c  *Coordinator

	mu    sync.Mutex // guards all that follows
	state State      // Dead: out of the coordinator's list, look it up again
	since time.Time  // of the state

	generation   Generation
	protocolType string // "consumer" for consumers; empty: no member ever
	protocol     string // chosen for this generation; empty while there are no members
	leader       MemberID
	members      map[MemberID]*member
	instances    map[InstanceID]MemberID // static members (KIP-345)
	given        map[MemberID]time.Time  // ids given out with ErrMemberIDRequired, and until when they may be used
	arrivals     uint64                  // numbers the members in order of their first join

	meetEnd  time.Time // of the initial delay; zero: not in it
	newcomer bool      // someone came during the initial delay
	joinEnd  time.Time // of the join barrier, in PreparingRebalance

	unsynced map[MemberID]bool // who has not yet sent SyncGroup in this generation
	syncEnd  time.Time         // when the unsynced are removed
	storing  bool              // the leader's assignment is on its way to the disk

	topics map[string]bool // subscribed by the members of this generation; nil: not known
	stored []byte          // the group's last record value in the log; nil: none

	roster *roster // of the consumer protocol; nil: the group is of the classic protocol

	offsets map[Partition]*offset
	lingers bool               // its last offset was deleted by request: it goes with the next look for what has expired, as in Kafka
	txns    map[int64]*openTxn // by producer id: transactions that have committed here and not ended

	retime bool // the deadlines must learn when to look at this group next
}

// groupBytes is what a group holds in memory beside its id, members and offsets, roughly, in bytes.
const groupBytes = 1024

// newGroup makes a group and counts it until it is taken out of the list.
func newGroup(id ID, c *Coordinator) *group {
	c.use.members.Add(groupBytes + int64(len(id)))
	return &group{
		id: id, c: c, since: time.Now(),
		members: map[MemberID]*member{}, instances: map[InstanceID]MemberID{},
		given: map[MemberID]time.Time{}, unsynced: map[MemberID]bool{},
		offsets: map[Partition]*offset{}, txns: map[int64]*openTxn{},
	}
}

// become changes the state and, with it, which deadlines count.
func (g *group) become(s State) {
	g.state, g.since, g.retime = s, time.Now(), true
}

// vacant says that nothing is left to remember: no member, no offset, nothing in the log.
func (g *group) vacant() bool {
	return !g.lingers && len(g.members) == 0 && len(g.given) == 0 && len(g.offsets) == 0 &&
		g.stored == nil && g.state == Empty && (g.roster == nil || len(g.roster.consumers) == 0 && g.roster.epoch == 0)
}

// inOrder are the members in the order of their first join.
func (g *group) inOrder() []*member {
	list := make([]*member, 0, len(g.members))
	for _, m := range g.members {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *member) int { return int(int64(a.arrival) - int64(b.arrival)) })
	return list
}

// check finds the member that a request speaks for. A static member is known by its instance: another
// member id under the same instance has been replaced and is fenced.
func (g *group) check(id MemberID, instance InstanceID) (*member, error) {
	if instance != "" {
		holder, ok := g.instances[instance]
		if !ok {
			return nil, ErrUnknownMember
		}
		if holder != id {
			return nil, ErrFencedInstance
		}
	}
	m := g.members[id]
	if m == nil {
		return nil, ErrUnknownMember
	}
	return m, nil
}

// alive begins m's session anew.
func (g *group) alive(m *member) { m.deadline = time.Now().Add(m.session) }

// rebalanceTimeout is how long the slowest member may take to come back.
func (g *group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.members {
		d = max(d, m.rebalance)
	}
	return d
}

// selectProtocol lets each member vote for the first of its protocols that all members have; the most
// votes win, and among equals the one that stands first at the earliest member.
func (g *group) selectProtocol() string {
	votes := map[string]int{}
	var first []string
	for _, m := range g.inOrder() {
		for _, p := range m.protocols {
			if !g.common(p.Name) {
				continue
			}
			if votes[p.Name] == 0 {
				first = append(first, p.Name)
			}
			votes[p.Name]++
			break
		}
	}
	best := ""
	for _, name := range first {
		if best == "" || votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// common says whether every member has the protocol.
func (g *group) common(name string) bool {
	for _, m := range g.members {
		if _, ok := m.metadata(name); !ok {
			return false
		}
	}
	return true
}

// supports says whether someone of this type with these protocols can be with the others.
func (g *group) supports(protocolType string, protocols []Protocol) bool {
	if len(g.members) == 0 {
		return protocolType != "" && len(protocols) > 0
	}
	return protocolType == g.protocolType &&
		slices.ContainsFunc(protocols, func(p Protocol) bool { return g.common(p.Name) })
}

// readTopics learns which topics the members subscribe to, as far as they are ordinary consumers.
func (g *group) readTopics() {
	g.topics = nil
	if g.protocolType != "consumer" || len(g.members) == 0 {
		return
	}
	topics := map[string]bool{}
	for _, m := range g.members {
		metadata, _ := m.metadata(g.protocol)
		if len(metadata) < 2 {
			return
		}
		// The topics stand first in every version. What follows is between the clients, some of which
		// leave out what their version has.
		var sub kmsg.ConsumerMemberMetadata
		if err := sub.ReadFrom(append([]byte{0, 0}, metadata[2:]...)); err != nil {
			return
		}
		for _, t := range sub.Topics {
			topics[t] = true
		}
	}
	g.topics = topics
}
