package group

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestAThousandConsumersComeAndGo lets a thousand join, share, and leave or fall silent, twice over:
// nobody waits, nothing is left behind.
func TestAThousandConsumersComeAndGo(t *testing.T) {
	consumerWorld(t, 100, func(t *testing.T, c *Coordinator, log *memLog, topics *fakeTopics) {
		for wave := range 2 {
			clients := make([]*client, 1000)
			for i := range clients {
				clients[i] = newClient(c, "g", MemberID(fmt.Sprintf("m%d-%04d", wave, i)), "t")
				clients[i].beat(t)
			}
			for range 4 {
				for _, k := range clients {
					k.beat(t)
				}
				pass(beats)
			}
			work := 0
			for _, k := range clients {
				work += len(k.owned)
			}
			if d := consumers(t, c, "g"); work != 100 || d.State != Stable {
				t.Errorf("wave %d: %d of 100 partitions are worked on, the group is %s", wave, work, d.State)
			}
			for i, k := range clients {
				if i%2 == 0 {
					continue // falls silent
				}
				if err := k.send(context.Background(), ConsumerRequest{Group: "g", Member: k.member, Epoch: LeaveEpoch}); err != nil {
					t.Fatal(err)
				}
			}
			pass(46 * time.Second)
			if n := c.use.members.Load(); n != groupBytes+int64(len("g")) {
				t.Errorf("wave %d: %d bytes are counted for a group without members", wave, n)
			}
		}
		if err := c.rewrite(t.Context()); err != nil {
			t.Fatal(err)
		}
		if bytes, _ := log.size(); bytes > 4096 {
			t.Errorf("%d bytes of an empty group are left in the log", bytes)
		}
	})
}

func TestAConsumerGroupIsBounded(t *testing.T) {
	topics := &fakeTopics{}
	topics.set("t", 1)
	world(t, Config{Topics: topics, MaxConsumers: 3, MaxMemberBytes: 8 << 10}, func(t *testing.T, c *Coordinator, _ *memLog) {
		for i := range 3 {
			newClient(c, "g", MemberID(fmt.Sprint("m", i)), "t").beat(t)
		}
		k := newClient(c, "g", "more", "t")
		if err := k.send(t.Context(), k.request()); err != ErrGroupFull {
			t.Errorf("a fourth of three: %v", err)
		}
		for i := range 50 {
			k := newClient(c, ID(fmt.Sprint("g", i)), "m", "t")
			if err := k.send(t.Context(), k.request()); err == ErrGroupFull {
				return
			}
		}
		t.Errorf("fifty groups in 8 kB: %d bytes are counted", c.use.members.Load())
	})
}

// TestIDsThatAreOnlyAskedForAreBounded asks for a member id of ever new groups, and joins none.
func TestIDsThatAreOnlyAskedForAreBounded(t *testing.T) {
	world(t, Config{MaxMemberBytes: 64 << 10}, func(t *testing.T, c *Coordinator, _ *memLog) {
		given := 0
		for i := range 1000 {
			r := request(ID(fmt.Sprint("g", i)), "")
			r.RequireID = true
			_, err := c.Join(r).Wait(t.Context())
			switch err {
			case ErrMemberIDRequired:
				given++
			case ErrGroupFull:
			default:
				t.Fatal(err)
			}
		}
		if given == 0 || given > 64 || len(c.List()) > given {
			t.Errorf("%d ids were given out, %d groups made", given, len(c.List()))
		}
		pass(session + time.Second)
		if n := c.use.members.Load(); n != 0 || len(c.List()) != 0 {
			t.Errorf("%d bytes and %d groups are left", n, len(c.List()))
		}
	})
}
