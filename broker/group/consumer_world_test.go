package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/group/assign"
)

// fakeTopics are the broker's topics in a test.
type fakeTopics struct {
	mu    sync.Mutex
	names map[string]fakeTopic
	made  byte
}

type fakeTopic struct {
	id         TopicID
	partitions int32
}

// set makes a topic, or gives it more partitions; 0 deletes it.
func (f *fakeTopics) set(name string, partitions int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == nil {
		f.names = map[string]fakeTopic{}
	}
	t, ok := f.names[name]
	if !ok {
		f.made++
		t.id = TopicID{15: f.made}
	}
	t.partitions = partitions
	f.names[name] = t
	if partitions == 0 {
		delete(f.names, name)
	}
}

func (f *fakeTopics) Lookup(name string) (TopicID, int32, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.names[name]
	return t.id, t.partitions, ok
}

func (f *fakeTopics) Name(id TopicID) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, t := range f.names {
		if t.id == id {
			return name, true
		}
	}
	return "", false
}

func (f *fakeTopics) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.names))
}

// client is a consumer of the protocol of KIP-848, as its clients behave.
type client struct {
	c        *Coordinator
	id       ID
	member   MemberID
	instance InstanceID
	topics   []string
	pattern  string
	assigner string
	patience time.Duration // to give up partitions

	epoch  Epoch
	owned  map[Slot]bool // what it works on
	target map[Slot]bool // what it was told to have
	told   bool          // that it owns what it does
	news   bool          // a target was told and not obeyed yet
	missed bool          // an answer: it says all again, to be told all again
}

func newClient(c *Coordinator, id ID, member MemberID, topics ...string) *client {
	return &client{c: c, id: id, member: member, topics: topics, patience: rebalance, owned: map[Slot]bool{}, target: map[Slot]bool{}}
}

// request is its next heartbeat.
func (k *client) request() ConsumerRequest {
	r := ConsumerRequest{Group: k.id, Member: k.member, Epoch: k.epoch, Instance: k.instance, Rebalance: -1, ClientID: "app", Host: "/127.0.0.1"}
	if k.epoch == JoinEpoch || k.missed {
		r.Rebalance, r.Topics, r.Owned = k.patience, slices.Clone(k.topics), k.slots()
		if k.pattern != "" {
			r.Pattern = &k.pattern
		}
		if k.assigner != "" {
			r.Assigner = &k.assigner
		}
		if r.Topics == nil {
			r.Topics = []string{}
		}
		return r
	}
	if !k.told {
		r.Owned = k.slots()
	}
	return r
}

func (k *client) slots() []Slot {
	list := []Slot{}
	for s := range k.owned {
		list = append(list, s)
	}
	slices.SortFunc(list, Slot.Compare)
	return list
}

// send sends a heartbeat and learns from the answer. It gives up and takes up partitions by obey.
func (k *client) send(ctx context.Context, r ConsumerRequest) error {
	res, err := k.c.ConsumerHeartbeat(r).Wait(ctx)
	switch {
	case errors.Is(err, ErrFencedEpoch), errors.Is(err, ErrUnknownMember):
		k.epoch, k.told, k.missed = JoinEpoch, false, false
		clear(k.owned)
		clear(k.target)
		return err
	case err != nil:
		k.missed = true
		return err
	}
	k.missed = false
	k.member, k.epoch = res.Member, res.Epoch
	if r.Owned != nil {
		k.told = true
	}
	if res.Assigned != nil {
		k.news = true
		clear(k.target)
		for _, s := range res.Assigned {
			k.target[s] = true
		}
	}
	return nil
}

// obey gives up what is not to be had any more and takes up the rest.
func (k *client) obey() {
	if k.news {
		k.owned, k.told, k.news = maps.Clone(k.target), false, false
	}
}

// beat is one heartbeat and what follows from it.
func (k *client) beat(t *testing.T) {
	t.Helper()
	if err := k.send(t.Context(), k.request()); err != nil {
		t.Fatalf("heartbeat of %s at epoch %d: %v", k.member, k.epoch, err)
	}
	k.obey()
}

// partitions are what it works on, of all topics.
func (k *client) partitions() []int32 {
	list := []int32{}
	for _, s := range k.slots() {
		list = append(list, s.Partition)
	}
	return list
}

// settle lets clients send heartbeats, in turn, until none has anything new; it fails after many.
func settle(t *testing.T, clients ...*client) {
	t.Helper()
	quiet := 0
	for round := 0; quiet < 2; round++ {
		if round > 40 {
			t.Fatal("the group does not come to rest")
		}
		before := describe(clients)
		for _, k := range clients {
			k.beat(t)
		}
		if describe(clients) == before {
			quiet++
		} else {
			quiet = 0
		}
		pass(2 * lookEvery)
	}
}

func describe(clients []*client) string {
	s := ""
	for _, k := range clients {
		s += fmt.Sprintln(k.member, k.epoch, k.slots())
	}
	return s
}

// consumerWorld is a world with a topic "t" of partitions.
func consumerWorld(t *testing.T, partitions int32, story func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics)) {
	t.Helper()
	topics := &fakeTopics{}
	topics.set("t", partitions)
	world(t, Config{Topics: topics}, func(t *testing.T, c *Coordinator, log *memLog) { story(t, c, log, topics) })
}

// shares expects what each client works on, of topic "t".
func shares(t *testing.T, clients []*client, want ...int) {
	t.Helper()
	seen := assign.Set{}
	for i, k := range clients {
		if len(k.owned) != want[i] {
			t.Errorf("%s has %v, want %d partitions", k.member, k.partitions(), want[i])
		}
		for s := range k.owned {
			if _, ok := seen[s]; ok {
				t.Errorf("%v is worked on twice", s)
			}
			seen[s] = struct{}{}
		}
	}
}

// consumers is the group as an administrator sees it.
func consumers(t *testing.T, c *Coordinator, id ID) ConsumerGroup {
	t.Helper()
	d, err := c.DescribeConsumers(id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const beats = 5 * time.Second
