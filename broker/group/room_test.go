package group

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAMemberThatAsksForNoMoreIsNotRefusedWhenThereIsNoRoom(t *testing.T) {
	topics := &fakeTopics{}
	topics.set("t", 1)
	world(t, Config{Topics: topics}, func(t *testing.T, c *Coordinator, _ *memLog) {
		k := newClient(c, "g", "m", "t")
		if err := k.send(t.Context(), k.request()); err != nil {
			t.Fatal(err)
		}
		k.obey()
		c.use.members.Add(c.cfg.MaxMemberBytes)
		defer c.use.members.Add(-c.cfg.MaxMemberBytes)
		if err := k.send(t.Context(), k.request()); err != nil {
			t.Fatalf("a plain heartbeat: %v", err)
		}
		if err := newClient(c, "g", "n", "t").send(t.Context(), newClient(c, "g", "n", "t").request()); !errors.Is(err, ErrGroupFull) {
			t.Fatalf("a new member: %v", err)
		}
	})
}

func TestGroupsThemselvesAreCounted(t *testing.T) {
	topics := &fakeTopics{}
	topics.set("t", 1)
	const room = 1 << 20
	world(t, Config{Topics: topics, MaxMemberBytes: room, MaxOffsetBytes: room}, func(t *testing.T, c *Coordinator, _ *memLog) {
		long := strings.Repeat("g", MaxIDBytes-10)
		var refused error
		for i := range 2000 {
			id := ID(fmt.Sprint(long, i))
			k := newClient(c, id, "m", "t")
			if refused = k.send(t.Context(), k.request()); refused != nil {
				break
			}
			if _, err := c.ConsumerHeartbeat(ConsumerRequest{Group: id, Member: "m", Epoch: LeaveEpoch}).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(c.all()); !errors.Is(refused, ErrGroupFull) || n*MaxIDBytes > room {
			t.Errorf("%d groups with long names are kept in 1 MiB: %v", n, refused)
		}
		for i := range 2000 {
			if refused = commitOne(t, c, ID(fmt.Sprint("simple", long[:4000], i)), JoinResult{}, 1); refused != nil {
				break
			}
		}
		if n := len(c.all()); !errors.Is(refused, ErrNoRoom) || n*MaxIDBytes > 2*room {
			t.Errorf("%d groups with long names are kept in 2 MiB: %v", n, refused)
		}
		for _, g := range c.List() {
			if err := c.Delete(g.ID).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if m, o := c.use.members.Load(), c.use.offsets.Load(); m != 0 || o != 0 {
			t.Errorf("%d and %d bytes are counted for groups that are gone", m, o)
		}
	})
}
