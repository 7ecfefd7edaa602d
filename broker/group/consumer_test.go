package group

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestConsumersShareAndPassOn(t *testing.T) {
	consumerWorld(t, 6, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		a.beat(t)
		if a.epoch != 2 {
			t.Errorf("the first member is at epoch %d, want 2", a.epoch)
		}
		shares(t, []*client{a}, 6)
		b.beat(t) // nothing is free yet
		shares(t, []*client{a, b}, 6, 0)
		if d := consumers(t, c, "g"); d.State != Reconciling || d.Epoch != 3 || d.Assigner != "uniform" {
			t.Errorf("while partitions change hands: %+v", d)
		}
		a.send(t.Context(), a.request()) // learns that it has to give three up, and goes on working on six
		b.beat(t)
		shares(t, []*client{a, b}, 6, 0)
		a.obey()
		b.beat(t) // a has let go and not said so
		shares(t, []*client{a, b}, 3, 0)
		a.beat(t)
		b.beat(t)
		shares(t, []*client{a, b}, 3, 3)
		settle(t, a, b)
		if d := consumers(t, c, "g"); d.State != Stable || len(d.Members) != 2 {
			t.Errorf("at rest: %+v", d)
		}
		if err := b.send(t.Context(), ConsumerRequest{Group: "g", Member: "b", Epoch: LeaveEpoch}); err != nil {
			t.Fatal(err)
		}
		settle(t, a)
		shares(t, []*client{a}, 6)
	})
}

func TestASilentConsumerIsRemoved(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		settle(t, a, b)
		for range 10 {
			pass(beats)
			a.beat(t)
		}
		settle(t, a)
		shares(t, []*client{a}, 4)
		if err := b.send(t.Context(), b.request()); !errors.Is(err, ErrUnknownMember) {
			t.Errorf("the removed member's heartbeat: %v", err)
		}
		pass(46 * time.Second)
		if s := consumers(t, c, "g").State; s != Empty {
			t.Errorf("the group is %s, want Empty", s)
		}
	})
}

func TestWhoDoesNotLetGoInTimeIsRemoved(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		a.beat(t)
		b.beat(t)
		for range 6 { // a lives, and keeps what it was told to give up; 30 s are allowed
			if err := a.send(t.Context(), a.request()); err != nil {
				t.Fatal(err)
			}
			a.told = false
			b.beat(t)
			shares(t, []*client{b}, 0)
			pass(beats)
		}
		if err := a.send(t.Context(), a.request()); !errors.Is(err, ErrUnknownMember) {
			t.Fatalf("its heartbeat after that: %v", err)
		}
		settle(t, b)
		shares(t, []*client{b}, 4)
	})
}

func TestEpochsFence(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		a := newClient(c, "g", "a", "t")
		settle(t, a)
		topics.set("t", 5)
		settle(t, a)
		for epoch, want := range map[Epoch]error{a.epoch + 1: ErrFencedEpoch, a.epoch - 2: ErrFencedEpoch, a.epoch: nil} {
			r := a.request()
			r.Epoch, r.Owned = epoch, a.slots()
			if epoch == JoinEpoch {
				continue
			}
			if _, err := c.ConsumerHeartbeat(r).Wait(t.Context()); !errors.Is(err, want) {
				t.Errorf("epoch %d, with the group at %d: %v, want %v", epoch, a.epoch, err, want)
			}
		}
		r := a.request()
		r.Epoch = a.epoch - 1 // its last answer was lost
		if _, err := c.ConsumerHeartbeat(r).Wait(t.Context()); !errors.Is(err, ErrFencedEpoch) {
			t.Errorf("the former epoch without a word on what it owns: %v", err)
		}
		r.Owned = a.slots()[:2]
		if res, err := c.ConsumerHeartbeat(r).Wait(t.Context()); err != nil || res.Epoch != a.epoch {
			t.Errorf("the former epoch with part of what it has: %+v, %v", res, err)
		}
		r.Owned = append(a.slots(), Slot{Partition: 77})
		if _, err := c.ConsumerHeartbeat(r).Wait(t.Context()); !errors.Is(err, ErrFencedEpoch) {
			t.Errorf("the former epoch with more than it has: %v", err)
		}
	})
}

func TestAStaticConsumerComesBackToWhatItHad(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		a.instance = "i"
		settle(t, a, b)
		had, epoch := a.slots(), consumers(t, c, "g").Epoch
		second := newClient(c, "g", "a2", "t")
		second.instance = "i"
		if err := second.send(t.Context(), second.request()); !errors.Is(err, ErrUnreleasedInstance) {
			t.Fatalf("a second of the same name: %v", err)
		}
		res, err := c.ConsumerHeartbeat(ConsumerRequest{Group: "g", Member: "a", Epoch: AwayEpoch, Instance: "i"}).Wait(t.Context())
		if err != nil || res.Epoch != AwayEpoch {
			t.Fatalf("leaving for a while: %+v, %v", res, err)
		}
		b.beat(t)
		shares(t, []*client{b}, 2)
		second.beat(t)
		if !slices.Equal(second.slots(), had) || consumers(t, c, "g").Epoch != epoch {
			t.Errorf("it has %v, had %v; the group's epoch went from %d to %d", second.slots(), had, epoch, consumers(t, c, "g").Epoch)
		}
		if err := a.send(t.Context(), a.request()); !errors.Is(err, ErrFencedInstance) {
			t.Errorf("its former self: %v", err)
		}
		if err := b.send(t.Context(), ConsumerRequest{Group: "g", Member: "b", Epoch: AwayEpoch, Instance: "x"}); !errors.Is(err, ErrUnknownMember) {
			t.Errorf("away under another name: %v", err)
		}
	})
}

func TestAStaticConsumerThatStaysAwayIsRemoved(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		a.instance = "i"
		settle(t, a, b)
		c.ConsumerHeartbeat(ConsumerRequest{Group: "g", Member: "a", Epoch: AwayEpoch, Instance: "i"}).Wait(t.Context())
		for range 10 {
			pass(beats)
			b.beat(t)
		}
		settle(t, b)
		shares(t, []*client{b}, 4)
	})
}

func TestNewPartitionsAndTopicsAreNoticed(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		a := newClient(c, "g", "a", "t", "later")
		settle(t, a)
		shares(t, []*client{a}, 2)
		topics.set("t", 3)
		topics.set("later", 2)
		settle(t, a)
		shares(t, []*client{a}, 5)
		topics.set("t", 0)
		settle(t, a)
		shares(t, []*client{a}, 2)
	})
}

func TestSubscribingByRegularExpression(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		a := newClient(c, "g", "a")
		a.pattern = "log.*|t"
		settle(t, a)
		shares(t, []*client{a}, 2)
		topics.set("log_b", 2)
		topics.set("catalog", 1) // the whole name must match
		pass(matchEvery)
		settle(t, a)
		shares(t, []*client{a}, 4)
		bad := newClient(c, "g", "b")
		bad.pattern = "("
		if err := bad.send(t.Context(), bad.request()); !errors.Is(err, ErrPattern) {
			t.Errorf("an expression that cannot be read: %v", err)
		}
		r := a.request()
		r.Pattern, r.Topics = new(string), []string{"log_b"}
		if err := a.send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		a.obey()
		settle(t, a)
		shares(t, []*client{a}, 2)
		if c.acquireForTest("g", func(g *group) bool { return len(g.roster.patterns) > 0 }) {
			t.Error("an expression that nobody uses is kept")
		}
	})
}

func TestWhatAPeerMayNotSeeIsNotFoundByItsExpression(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		topics.set("secret", 3)
		a := newClient(c, "g", "a")
		a.pattern = ".*"
		r := a.request()
		r.May = func(topic string) bool { return topic != "secret" }
		if err := a.send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		a.obey()
		shares(t, []*client{a}, 2)
	})
}

func TestMembersVoteForTheAssigner(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		a.assigner, b.assigner = "range", "range"
		settle(t, a, b)
		if d := consumers(t, c, "g"); d.Assigner != "range" || !slices.Equal(a.partitions(), []int32{0, 1}) {
			t.Errorf("with %s the first has %v", d.Assigner, a.partitions())
		}
		x := newClient(c, "g", "x", "t")
		x.assigner = "sticky"
		if err := x.send(t.Context(), x.request()); !errors.Is(err, ErrAssigner) {
			t.Errorf("an assigner that there is not: %v", err)
		}
	})
}

func TestHeartbeatsThatMakeNoSense(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, _ *memLog, _ *fakeTopics) {
		empty := ""
		for name, change := range map[string]func(*ConsumerRequest){
			"no group":            func(r *ConsumerRequest) { r.Group = "" },
			"epoch -3":            func(r *ConsumerRequest) { r.Epoch = -3 },
			"no member":           func(r *ConsumerRequest) { r.Member, r.Epoch = "", 1 },
			"away without a name": func(r *ConsumerRequest) { r.Epoch = AwayEpoch },
			"empty rack":          func(r *ConsumerRequest) { r.Rack = &empty },
			"no timeout":          func(r *ConsumerRequest) { r.Rebalance = -1 },
			"owns on joining":     func(r *ConsumerRequest) { r.Owned = []Slot{{}} },
			"owned not said":      func(r *ConsumerRequest) { r.Owned = nil },
			"no subscription":     func(r *ConsumerRequest) { r.Topics = nil },
		} {
			r := newClient(c, "g", "a", "t").request()
			change(&r)
			if _, err := c.ConsumerHeartbeat(r).Wait(t.Context()); !errors.Is(err, ErrInvalidRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
		r := newClient(c, "g", "a", "t").request()
		r.Epoch = 3
		if _, err := c.ConsumerHeartbeat(r).Wait(t.Context()); !errors.Is(err, ErrNotFound) {
			t.Errorf("a group that is not there: %v", err)
		}
		if len(c.List()) != 0 {
			t.Errorf("groups are left: %v", c.List())
		}
	})
}
