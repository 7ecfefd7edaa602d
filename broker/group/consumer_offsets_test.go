package group

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// acquireForTest looks into a group.
func (c *Coordinator) acquireForTest(id ID, look func(*group) bool) bool {
	g := c.acquire(id, false)
	if g == nil {
		return false
	}
	defer c.release(g)
	return look(g)
}

// epochCommit commits an offset of partition 0 of "t" as a consumer at an epoch.
func epochCommit(t *testing.T, c *Coordinator, member MemberID, epoch Epoch, epochs bool, offset record.Offset) error {
	t.Helper()
	r := CommitRequest{Group: "g", Member: member, Generation: Generation(epoch), Epochs: epochs,
		Offsets: []Commit{{Partition: Partition{"t", 0}, Offset: offset, LeaderEpoch: -1}}}
	c.Commit(r).Wait(t.Context())
	return r.Offsets[0].Err
}

func TestConsumersCommitWithTheirEpoch(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		a := newClient(c, "g", "a", "t")
		settle(t, a)
		since := a.epoch
		topics.set("t", 3)
		settle(t, a)
		for _, step := range []struct {
			what   string
			member MemberID
			epoch  Epoch
			epochs bool
			want   error
		}{
			{"its epoch", "a", a.epoch, true, nil},
			{"since when it has the partition", "a", since, true, nil},
			{"before that", "a", since - 1, true, ErrStaleEpoch},
			{"an epoch to come", "a", a.epoch + 1, true, ErrStaleEpoch},
			{"a stranger", "x", a.epoch, true, ErrUnknownMember},
			{"nobody", "", -1, true, ErrUnknownMember},
			{"old words", "a", a.epoch, false, ErrOldVersion},
		} {
			if err := epochCommit(t, c, step.member, step.epoch, step.epochs, 5); !errors.Is(err, step.want) {
				t.Errorf("%s: %v, want %v", step.what, err, step.want)
			}
		}
		for epoch, want := range map[Epoch]error{a.epoch: nil, a.epoch - 1: ErrStaleEpoch} {
			if _, err := c.Fetch(FetchRequest{Group: "g", AsMember: true, Member: "a", Epoch: epoch, All: true}); !errors.Is(err, want) {
				t.Errorf("fetching at epoch %d: %v, want %v", epoch, err, want)
			}
		}
		if _, err := c.Fetch(FetchRequest{Group: "g", AsMember: true, Member: "x", Epoch: 1, All: true}); !errors.Is(err, ErrUnknownMember) {
			t.Errorf("a stranger's fetch: %v", err)
		}
		if err := txnCommit(t, c, "g", 7, JoinResult{Member: "a", Generation: Generation(since - 1)}, 9); !errors.Is(err, ErrIllegalGeneration) {
			t.Errorf("a transaction's commit of an old epoch: %v", err)
		}
		if err := txnCommit(t, c, "g", 7, JoinResult{Member: "a", Generation: Generation(a.epoch)}, 9); err != nil {
			t.Errorf("a transaction's commit: %v", err)
		}
	})
}

func TestGroupsOfBothProtocols(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics) {
		a := newClient(c, "g", "a", "t")
		a.beat(t)
		if _, err := c.Join(request("g", "")).Wait(t.Context()); !errors.Is(err, ErrInconsistentProtocol) {
			t.Errorf("a classic member joins a consumer group: %v", err)
		}
		if err := c.Heartbeat("g", "a", "", 1); !errors.Is(err, ErrUnknownMember) {
			t.Errorf("a classic heartbeat: %v", err)
		}
		if _, err := c.Describe("g"); !errors.Is(err, ErrNotFound) {
			t.Errorf("described as a classic group: %v", err)
		}
		gather(t, c, "classic", 1)
		k := newClient(c, "classic", "k", "t")
		if err := k.send(t.Context(), k.request()); !errors.Is(err, ErrNotFound) {
			t.Errorf("a consumer joins a classic group: %v", err)
		}
		if _, err := c.DescribeConsumers("classic"); !errors.Is(err, ErrNotFound) {
			t.Errorf("described as a consumer group: %v", err)
		}
		if list := c.List(); len(list) != 2 || list[0].Consumer || !list[1].Consumer {
			t.Errorf("listed: %+v", list)
		}

		// Both are left; then each is joined by the other kind, and keeps its offsets.
		if err := epochCommit(t, c, "a", a.epoch, true, 5); err != nil {
			t.Fatal(err)
		}
		if err := a.send(t.Context(), ConsumerRequest{Group: "g", Member: "a", Epoch: LeaveEpoch}); err != nil {
			t.Fatal(err)
		}
		pass(session + time.Second)
		gather(t, c, "g", 1)
		a2 := newClient(c, "classic", "k", "t")
		a2.beat(t)
		shares(t, []*client{a2}, 2)
		if got := fetchOne(t, c, "g"); got != 5 {
			t.Errorf("the offset is %d after the group has changed its protocol", got)
		}
		back, stop := start(t, Config{Topics: topics}, log.crashed(never))
		defer stop()
		if list := back.List(); len(list) != 2 || !list[0].Consumer || list[1].Consumer || list[1].State != Stable {
			t.Errorf("after a crash: %+v", list)
		}
	})
}

func TestConsumerGroupsOutliveTheBroker(t *testing.T) {
	for _, rewritten := range []bool{false, true} {
		consumerWorld(t, 6, func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics) {
			a, b, d := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t"), newClient(c, "g", "d")
			a.instance, d.pattern = "i", "t.*"
			settle(t, a, b, d)
			if err := epochCommit(t, c, "a", a.epoch, true, 5); err != nil {
				t.Fatal(err)
			}
			if rewritten {
				if err := c.rewrite(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			before := consumers(t, c, "g")
			back, stop := start(t, Config{Topics: topics}, log.crashed(never))
			defer stop()
			after := consumers(t, back, "g")
			if after.Epoch != before.Epoch || after.TargetEpoch != before.TargetEpoch || after.State != Stable || len(after.Members) != 3 {
				t.Fatalf("it was %+v and is %+v", before, after)
			}
			for _, k := range []*client{a, b, d} {
				k.c = back
				held := k.slots()
				k.beat(t) // nobody has to join again
				if len(held) != 2 || len(k.slots()) != 2 || held[0] != k.slots()[0] {
					t.Errorf("%s had %v and has %v", k.member, held, k.slots())
				}
			}
			if got := fetchOne(t, back, "g"); got != 5 {
				t.Errorf("the offset is %d", got)
			}
			pass(time.Minute)
			if err := back.Delete("g").Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(back.List()) != 0 {
				t.Errorf("the deleted group is still there: %v", back.List())
			}
		})
	}
}

func TestAFullDiskDoesNotBreakAConsumerGroup(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		settle(t, a)
		fill := func(err error) { log.mu.Lock(); log.full = err; log.mu.Unlock() }
		fill(errors.New("disk full"))
		if err := b.send(t.Context(), b.request()); !errors.Is(err, ErrNotStored) {
			t.Fatalf("joining with a full disk: %v", err)
		}
		fill(nil)
		settle(t, a, b)
		shares(t, []*client{a, b}, 2, 2)
		back, stop := start(t, Config{Topics: topics}, log.crashed(never))
		defer stop()
		a.c, b.c = back, back
		settle(t, a, b)
		shares(t, []*client{a, b}, 2, 2)
	})
}

func TestMembersThatComeAndGoOnAFullDiskLeaveNothingBehind(t *testing.T) {
	consumerWorld(t, 4, func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics) {
		a, b := newClient(c, "g", "a", "t"), newClient(c, "g", "b", "t")
		a.pattern, b.pattern = "t", "t|u"
		settle(t, a, b)
		fill := func(err error) { log.mu.Lock(); log.full = err; log.mu.Unlock() }
		fill(errors.New("disk full"))
		for i := range 200 {
			k := newClient(c, "g", MemberID(fmt.Sprint("m", i)), "t")
			k.pattern = fmt.Sprint("p", i)
			if err := k.send(t.Context(), k.request()); !errors.Is(err, ErrNotStored) {
				t.Fatalf("joining with a full disk: %v", err)
			}
			k.send(t.Context(), ConsumerRequest{Group: "g", Member: k.member, Epoch: LeaveEpoch})
		}
		for _, k := range []*client{a, b} {
			k.send(t.Context(), ConsumerRequest{Group: "g", Member: k.member, Epoch: LeaveEpoch})
		}
		const keys = 2*3 + 2 // of the two members that the log has, and their expressions
		if n := len(c.mu.groups["g"].roster.erased); n != keys {
			t.Errorf("%d keys wait to be deleted, want %d", n, keys)
		}
		a.epoch, a.told = JoinEpoch, false
		clear(a.owned)
		a.send(t.Context(), a.request())
		fill(nil)
		settle(t, a)
		if r := c.mu.groups["g"].roster; r.unsaved || len(r.erased) > 0 {
			t.Errorf("with room on the disk %v still wait to be deleted", r.erased)
		}
		back, stop := start(t, Config{Topics: topics}, log.crashed(never))
		defer stop()
		if d := consumers(t, back, "g"); len(d.Members) != 1 || d.Members[0].ID != "a" {
			t.Errorf("a restart brings back %+v, want a, which left and came back while the disk was full", d.Members)
		}
		if r := back.mu.groups["g"].roster; len(r.patterns) != 1 || r.patterns["t"] == nil {
			t.Errorf("a restart brings back the expressions %v, want that of a", r.patterns)
		}
	})
}

func TestAGroupOutlivesItsLastOffsetForAWhile(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		for _, id := range []ID{"g", "h"} {
			if err := commitOne(t, c, id, JoinResult{}, 5); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := c.DeleteOffsets(id, []Partition{{"t", 0}}).Wait(t.Context()); err != nil {
					t.Errorf("deleting the offsets of %s: %v", id, err)
				}
			}
		}
		if err := c.Delete("g").Wait(t.Context()); err != nil || stateOf(t, c, "g") != Dead {
			t.Errorf("deleting it after its offsets: %v, it is %s", err, stateOf(t, c, "g"))
		}
		pass(11 * time.Minute)
		if len(c.List()) != 0 {
			t.Errorf("groups that hold nothing stay: %v", c.List())
		}
	})
}

func TestOffsetsAreDeletedUnlessTheTopicIsRead(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, _ *memLog, topics *fakeTopics) {
		topics.set("u", 1)
		a := newClient(c, "g", "a", "t")
		if err := commitOne(t, c, "g", JoinResult{}, 5); err != nil {
			t.Fatal(err)
		}
		r := CommitRequest{Group: "g", Generation: -1, Offsets: []Commit{{Partition: Partition{"u", 0}, Offset: 6}}}
		c.Commit(r).Wait(t.Context())
		a.beat(t)
		p := c.DeleteOffsets("g", []Partition{{"t", 0}, {"u", 0}, {"u", 7}})
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(p.Errs[0], ErrSubscribed) || p.Errs[1] != nil || p.Errs[2] != nil {
			t.Errorf("deleted: %v", p.Errs)
		}
		found, _ := c.Fetch(FetchRequest{Group: "g", All: true})
		if len(found) != 1 || fetchOne(t, c, "g") != 5 {
			t.Errorf("left: %v", found)
		}
		if err := c.DeleteOffsets("none", nil).Wait(t.Context()); !errors.Is(err, ErrNotFound) {
			t.Errorf("of a group that is not there: %v", err)
		}
		other := request("x", "")
		other.ProtocolType = "connect"
		mustJoin(t, joinLater(t, c, other))
		if err := c.DeleteOffsets("x", []Partition{{"t", 0}}).Wait(t.Context()); !errors.Is(err, ErrNonEmpty) {
			t.Errorf("of a group that does not consume: %v", err)
		}
	})
}

// TestAnAnswerNeverRunsAheadOfTheDisk repeats a heartbeat whose answer was lost while the disk is slow: the
// epoch that it is told must be one that a crash does not take back.
func TestAnAnswerNeverRunsAheadOfTheDisk(t *testing.T) {
	consumerWorld(t, 2, func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics) {
		a := newClient(c, "g", "a", "t")
		settle(t, a)
		log.mu.Lock()
		log.lag = 10 * time.Second
		log.mu.Unlock()
		topics.set("t", 3)
		pass(lookEvery)
		lost, cancel := context.WithCancel(t.Context())
		cancel()
		c.ConsumerHeartbeat(a.request()).Wait(lost)
		a.missed = true
		a.beat(t)
		back, stop := start(t, Config{Topics: topics}, log.crashed(never))
		defer stop()
		a.c = back
		a.beat(t)
		if d := consumers(t, back, "g"); d.Epoch != a.epoch || len(a.owned) != 3 {
			t.Errorf("after a crash the group is at epoch %d, the member was told %d, with %d partitions", d.Epoch, a.epoch, len(a.owned))
		}
	})
}
