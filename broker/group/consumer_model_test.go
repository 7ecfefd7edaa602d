package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// The model of a consumer group: clients that join, work, change their minds, fall silent, lose answers,
// leave and come back at any moment, topics that grow, appear and go, and a broker that is killed. The
// judge holds:
//
//   - a partition is never worked on by two members that both have reason to believe it is theirs;
//   - a member's epoch and the group's never fall;
//   - when all behave, every partition of a subscribed topic is worked on within a bounded number of heartbeats;
//   - a member's commit at its epoch is taken, and is what is fetched later.
type consumerModel struct {
	t      *testing.T
	rng    *rand.Rand
	topics *fakeTopics
	log    *memLog
	c      *Coordinator
	stop   func()

	clients []*client
	heard   map[*client]time.Time // last good answer: after its session it may believe nothing
	joined  int
	group   Epoch
	commits map[Partition]record.Offset
	next    record.Offset
	moved   int
	fenced  int
}

func TestModelOfAConsumerGroupUnderRandomMembers(t *testing.T) {
	const seeds = 16
	moved, fenced, joined := 0, 0, 0
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := playConsumers(t, seed)
				moved, fenced, joined = moved+m.moved, fenced+m.fenced, joined+m.joined
			})
		})
	}
	// One story may be quiet: in one of some hundred only two are fenced. All together are not: on average one has 200
	// moves, 20 fenced and 60 joined.
	if moved < 60*seeds || fenced < 5*seeds || joined < 20*seeds {
		t.Errorf("the stories were too quiet to tell: %d moves, %d fenced, %d joined", moved, fenced, joined)
	}
}

func playConsumers(t *testing.T, seed uint64) *consumerModel {
	m := &consumerModel{t: t, rng: rand.New(rand.NewPCG(seed, 3)), topics: &fakeTopics{}, log: &memLog{lag: time.Millisecond},
		heard: map[*client]time.Time{}, commits: map[Partition]record.Offset{}}
	m.topics.set("t", 7)
	m.topics.set("u", 3)
	m.begin()
	defer func() { m.stop() }()
	for range 6 {
		m.enter()
	}
	for range 600 {
		m.step()
		m.check()
		pass(time.Duration(m.rng.IntN(2000)) * time.Millisecond)
		if m.rng.IntN(60) == 0 {
			m.settle()
		}
	}
	m.settle()
	return m
}

func (m *consumerModel) begin() {
	m.c, m.stop = start(m.t, Config{Topics: m.topics, RewriteBytes: 32 << 10}, m.log)
	for _, k := range m.clients {
		k.c = m.c
	}
}

// enter adds a client that is not a member yet.
func (m *consumerModel) enter() {
	m.joined++
	k := m.client("t")
	switch m.rng.IntN(4) {
	case 0:
		k.topics = []string{"t", "u", "v"}
	case 1:
		k.topics, k.pattern = nil, "[tu]"
	}
	if m.rng.IntN(3) == 0 {
		k.assigner = "range"
	}
	if m.rng.IntN(3) == 0 {
		k.instance = InstanceID(fmt.Sprint("i", m.joined))
	}
	m.clients = append(m.clients, k)
}

// client is a new one. It may take longer to give up partitions than its session lasts, so that it is the
// end of its session that tells it that it is out.
func (m *consumerModel) client(topics ...string) *client {
	k := newClient(m.c, "g", MemberID(fmt.Sprint("m", m.joined)), topics...)
	k.patience = 2 * time.Minute
	return k
}

func (m *consumerModel) step() {
	if len(m.clients) == 0 {
		m.enter()
	}
	i := m.rng.IntN(len(m.clients))
	k := m.clients[i]
	switch n := m.rng.IntN(100); {
	case n < 55:
		m.beat(k, true)
	case n < 62:
		m.beat(k, false) // works on what it has to give up a little longer
	case n < 68: // the answer is lost
		ctx, cancel := context.WithCancel(m.t.Context())
		cancel()
		m.c.ConsumerHeartbeat(k.request()).Wait(ctx)
		k.missed = true
	case n < 74:
		m.commit(k)
	case n < 78:
		m.leave(i)
	case n < 81: // dies; its partitions are nobody's for a session
		m.clients = slices.Delete(m.clients, i, i+1)
	case n < 87:
		m.enter()
	case n < 90:
		m.topics.set("t", 7+int32(m.rng.IntN(5))+int32(m.joined/10))
	case n < 92:
		m.topics.set("v", int32(m.rng.IntN(3)))
	case n < 94: // claims an epoch that is not its
		r := k.request()
		r.Epoch += Epoch(m.rng.IntN(5)) - 1
		if r.Epoch > 0 && r.Epoch != k.epoch {
			if _, err := m.c.ConsumerHeartbeat(r).Wait(m.t.Context()); errors.Is(err, ErrFencedEpoch) {
				m.fenced++
			}
			k.missed = true
		}
	case n < 96: // kill -9
		m.log = m.log.crashed(func() bool { return m.rng.IntN(2) == 0 })
		m.stop()
		m.begin()
		m.group = 0 // an administrator may have been shown what was not durable yet
	default:
		pass(time.Duration(m.rng.IntN(20)) * time.Second)
	}
}

// beat is one heartbeat of a client.
func (m *consumerModel) beat(k *client, obeys bool) {
	before, had := k.epoch, len(k.owned)
	err := k.send(m.t.Context(), k.request())
	switch {
	case err == nil:
		m.heard[k] = time.Now()
		if before > 0 && k.epoch < before {
			m.t.Errorf("%s was at epoch %d and is told %d", k.member, before, k.epoch)
		}
	case errors.Is(err, ErrUnreleasedInstance): // until its former self's session ends
	case errors.Is(err, ErrUnknownMember), errors.Is(err, ErrFencedEpoch), errors.Is(err, ErrNotFound):
		m.fenced++
		k.epoch = JoinEpoch
		clear(k.owned)
		clear(k.target)
		m.joined++
		k.member = MemberID(fmt.Sprint("m", m.joined))
	default:
		m.t.Errorf("heartbeat of %s: %v", k.member, err)
	}
	if obeys {
		k.obey()
	}
	if len(k.owned) != had {
		m.moved++
	}
}

func (m *consumerModel) leave(i int) {
	k := m.clients[i]
	if k.epoch <= 0 {
		return
	}
	r := ConsumerRequest{Group: "g", Member: k.member, Epoch: LeaveEpoch, Instance: k.instance}
	comesBack := k.instance != "" && m.rng.IntN(2) == 0
	if comesBack {
		r.Epoch = AwayEpoch
	}
	_, err := m.c.ConsumerHeartbeat(r).Wait(m.t.Context())
	if err != nil && !errors.Is(err, ErrUnknownMember) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrFencedInstance) {
		m.t.Errorf("leaving: %v", err)
	}
	m.clients = slices.Delete(m.clients, i, i+1)
	if comesBack {
		m.joined++
		self := m.client(k.topics...)
		self.instance, self.pattern = k.instance, k.pattern
		m.clients = append(m.clients, self)
	}
}

// commit commits one partition at the client's epoch.
func (m *consumerModel) commit(k *client) {
	for s := range k.owned {
		name, ok := m.topics.Name(s.Topic)
		if !ok || time.Since(m.heard[k]) > 40*time.Second {
			return
		}
		m.next++
		at := Partition{name, s.Partition}
		r := CommitRequest{Group: "g", Member: k.member, Generation: Generation(k.epoch), Epochs: true, Offsets: []Commit{{Partition: at, Offset: m.next}}}
		m.c.Commit(r).Wait(m.t.Context())
		if r.Offsets[0].Err == nil {
			m.commits[at] = m.next
		}
		return
	}
}

// check looks for a partition that two clients have reason to work on, and for epochs that fall.
func (m *consumerModel) check() {
	owner := map[Slot]*client{}
	for _, k := range m.clients {
		if time.Since(m.heard[k]) >= 45*time.Second {
			continue // it knows that its session is over
		}
		for s := range k.owned {
			if other := owner[s]; other != nil {
				m.t.Errorf("%v is worked on by %s at epoch %d and %s at %d", s, other.member, other.epoch, k.member, k.epoch)
			}
			owner[s] = k
		}
	}
	d, err := m.c.DescribeConsumers("g")
	if err != nil {
		return
	}
	if d.Epoch < m.group || d.TargetEpoch > d.Epoch {
		m.t.Errorf("the group's epoch went from %d to %d, its target is of %d", m.group, d.Epoch, d.TargetEpoch)
	}
	m.group = d.Epoch
	for at, offset := range m.commits {
		found, err := m.c.Fetch(FetchRequest{Group: "g", Partitions: []Partition{at}})
		if err != nil || found[at].Offset != offset {
			m.t.Errorf("%v is at %d, want %d (%v)", at, found[at].Offset, offset, err)
		}
	}
}

// settle lets all behave until the dead are gone and everyone has what it should; it takes a session and
// a few heartbeats.
func (m *consumerModel) settle() {
	for range 20 {
		for _, k := range m.clients {
			m.beat(k, true)
		}
		m.check()
		pass(3 * time.Second)
	}
	d, err := m.c.DescribeConsumers("g")
	if err != nil && len(m.clients) == 0 {
		return
	}
	if err != nil || d.State != Stable && len(m.clients) > 0 {
		m.t.Fatalf("after a minute of good behaviour the group is %+v, %v", d, err)
	}
	want := map[Slot]bool{}
	for _, k := range m.clients {
		names := slices.Clone(k.topics)
		if k.pattern != "" {
			names = append(names, "t", "u")
		}
		for _, name := range names {
			id, n, _ := m.topics.Lookup(name)
			for p := range n {
				want[Slot{Topic: id, Partition: p}] = true
			}
		}
	}
	got := map[Slot]bool{}
	for _, k := range m.clients {
		maps.Copy(got, k.owned)
	}
	if !maps.Equal(got, want) {
		m.t.Fatalf("%d partitions are worked on, %d are subscribed: %v, want %v", len(got), len(want), got, want)
	}
}
