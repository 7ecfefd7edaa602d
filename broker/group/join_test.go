package group

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTwoStartedTogetherMeetInOneGeneration(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		first := joinLater(t, c, request("g", ""))
		pass(40 * time.Millisecond)
		second := joinLater(t, c, request("g", ""))
		a, b := mustJoin(t, first), mustJoin(t, second)
		if a.Generation != 1 || b.Generation != 1 {
			t.Fatalf("generations %d and %d, want 1 for both", a.Generation, b.Generation)
		}
		if a.Leader != a.Member || b.Leader != a.Member {
			t.Fatalf("leaders %s and %s, want the first, %s", a.Leader, b.Leader, a.Member)
		}
		if len(a.Members) != 2 || len(b.Members) != 0 {
			t.Fatalf("the leader sees %d members and the follower %d, want 2 and 0", len(a.Members), len(b.Members))
		}
	})
}

func TestNewcomersProlongTheMeetingUpToTheRebalanceTimeout(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		began := time.Now()
		r := request("g", "")
		r.Rebalance = 500 * time.Millisecond
		all := []<-chan joined{joinLater(t, c, r)}
		for range 20 {
			pass(50 * time.Millisecond)
			all = append(all, joinLater(t, c, r))
		}
		if m := mustJoin(t, all[0]); m.Generation != 1 {
			t.Fatalf("generation %d, want 1", m.Generation)
		}
		first := time.Since(began)
		if first < 500*time.Millisecond || first > 1100*time.Millisecond {
			t.Fatalf("the first waited %s, want the rebalance timeout of 500ms and no more than the story", first)
		}
	})
}

func TestANewMemberIsSentBackWithItsID(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		r := request("g", "")
		r.RequireID = true
		res, err := c.Join(r).Wait(t.Context())
		if !errors.Is(err, ErrMemberIDRequired) || res.Member == "" {
			t.Fatalf("got %q and %v, want an id and ErrMemberIDRequired", res.Member, err)
		}
		again := request("g", res.Member)
		again.RequireID = true
		if m := mustJoin(t, joinLater(t, c, again)); m.Member != res.Member {
			t.Fatalf("joined as %s, want %s", m.Member, res.Member)
		}
	})
}

func TestAnIDThatIsNeverUsedLeavesNothingBehind(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		r := request("g", "")
		r.RequireID = true
		res, _ := c.Join(r).Wait(t.Context())
		pass(session + time.Second)
		if s := stateOf(t, c, "g"); s != Dead {
			t.Fatalf("group is %s, want it gone", s)
		}
		if _, err := c.Join(request("g", res.Member)).Wait(t.Context()); !errors.Is(err, ErrUnknownMember) {
			t.Fatalf("joining with the old id: %v, want ErrUnknownMember", err)
		}
		if _, n := log.size(); n != 0 {
			t.Fatalf("%d batches in the log, want none", n)
		}
	})
}

func TestJoinsThatAreRefused(t *testing.T) {
	world(t, Config{MaxMembers: 2}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "full", 2)
		cases := []struct {
			name   string
			change func(*JoinRequest)
			want   error
		}{
			{"no group", func(r *JoinRequest) { r.Group = "" }, ErrInvalidGroup},
			{"long group", func(r *JoinRequest) { r.Group = ID(make([]byte, MaxIDBytes+1)) }, ErrInvalidGroup},
			{"short session", func(r *JoinRequest) { r.Session = 10 * time.Millisecond }, ErrSessionTimeout},
			{"long session", func(r *JoinRequest) { r.Session = time.Hour }, ErrSessionTimeout},
			{"unknown member", func(r *JoinRequest) { r.Member = "who" }, ErrUnknownMember},
			{"no type", func(r *JoinRequest) { r.ProtocolType = "" }, ErrInconsistentProtocol},
			{"no protocol", func(r *JoinRequest) { r.Protocols = nil }, ErrInconsistentProtocol},
			{"other type", func(r *JoinRequest) { r.Group, r.Member, r.ProtocolType = "full", members[0].Member, "connect" }, ErrInconsistentProtocol},
			{"full", func(r *JoinRequest) { r.Group = "full" }, ErrGroupFull},
		}
		for _, tc := range cases {
			r := request("g", "")
			tc.change(&r)
			if _, err := c.Join(r).Wait(t.Context()); !errors.Is(err, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			}
		}
		if s := stateOf(t, c, "g"); s != Dead {
			t.Errorf("refused joins left a group behind: %s", s)
		}
	})
}

func TestMembersBytesAreBounded(t *testing.T) {
	world(t, Config{MaxMemberBytes: 10_000}, func(t *testing.T, c *Coordinator, _ *memLog) {
		r := request("g", "")
		r.Protocols[0].Metadata = make([]byte, 6000)
		first := joinLater(t, c, r)
		synctest.Wait()
		if _, err := c.Join(r).Wait(t.Context()); !errors.Is(err, ErrGroupFull) {
			t.Fatalf("second large member: %v, want ErrGroupFull", err)
		}
		m := mustJoin(t, first)
		if _, err := c.Leave("g", []Leaver{{Member: m.Member}}); err != nil {
			t.Fatal(err)
		}
		mustJoin(t, joinLater(t, c, r)) // its room is free again
		if used := c.use.members.Load(); used > 10_000 || used <= 6000 {
			t.Fatalf("%d bytes booked for one member of 6000", used)
		}
	})
}

func TestTheProtocolWithMostVotesIsChosen(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		var waiting []<-chan joined
		for _, names := range [][]string{{"range", "sticky", "own"}, {"sticky", "range"}, {"sticky", "range"}} {
			r := request("g", "")
			r.Protocols = nil
			for _, n := range names {
				r.Protocols = append(r.Protocols, Protocol{n, []byte("for " + n)})
			}
			waiting = append(waiting, joinLater(t, c, r))
			synctest.Wait()
		}
		leader := mustJoin(t, waiting[0])
		if leader.Protocol != "sticky" {
			t.Fatalf("protocol %q, want sticky with two votes of three", leader.Protocol)
		}
		for _, m := range leader.Members {
			if string(m.Metadata) != "for sticky" {
				t.Fatalf("member %s with %q, want what it said for the chosen protocol", m.ID, m.Metadata)
			}
		}
	})
}

func TestAFollowerComingBackUnchangedDisturbsNobody(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 2)
		again := mustJoin(t, joinLater(t, c, request("g", members[1].Member)))
		if again.Generation != members[1].Generation || stateOf(t, c, "g") != Stable {
			t.Fatalf("generation %d and %s, want %d and Stable", again.Generation, stateOf(t, c, "g"), members[1].Generation)
		}
	})
}

func TestALeaderOrAChangedFollowerComingBackRebalances(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 2)
		changed := request("g", members[1].Member)
		changed.Protocols[0].Metadata = []byte("other topics")
		for _, r := range []JoinRequest{request("g", members[0].Member), changed} {
			waiting := joinLater(t, c, r)
			synctest.Wait()
			other := members[0]
			if r.Member == other.Member {
				other = members[1]
			}
			beat(t, c, "g", other, ErrRebalancing)
			otherRequest := request("g", other.Member)
			if other.Member == changed.Member {
				otherRequest.Protocols[0].Metadata = []byte("m")
			}
			back := joinLater(t, c, otherRequest)
			a, b := mustJoin(t, waiting), mustJoin(t, back)
			if a.Generation != members[0].Generation+1 || a.Generation != b.Generation {
				t.Fatalf("generations %d and %d after %d", a.Generation, b.Generation, members[0].Generation)
			}
			members = []JoinResult{a, b}
			if b.Leader == b.Member {
				slices.Reverse(members)
			}
			syncAll(t, c, "g", members)
		}
	})
}

func TestTheBarrierEndsWithoutThoseWhoDoNotComeBack(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 2)
		newcomer := joinLater(t, c, request("g", ""))
		synctest.Wait()
		back := joinLater(t, c, request("g", members[1].Member))
		began := time.Now()
		// members[0], the leader, lives on and does not join.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				c.Heartbeat("g", members[0].Member, "", members[0].Generation)
				select {
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
			}
		}()
		a, b := mustJoin(t, newcomer), mustJoin(t, back)
		if waited := time.Since(began); waited != rebalance {
			t.Fatalf("the barrier took %s, want the rebalance timeout %s", waited, rebalance)
		}
		if a.Leader != b.Member || len(b.Members) != 2 {
			t.Fatalf("leader %s with %d members, want the member that came back, %s, with 2", a.Leader, len(b.Members), b.Member)
		}
		beat(t, c, "g", members[0], ErrUnknownMember)
	})
}

func TestAJoinWhoseConnectionEndsLeavesNobodyWaiting(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 1)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := c.Join(request("g", "")).Wait(ctx)
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled join: %v", err)
		}
		began := time.Now()
		m := mustJoin(t, joinLater(t, c, request("g", members[0].Member)))
		if waited := time.Since(began); waited > session {
			t.Fatalf("waited %s for a member whose connection has ended, want at most its session %s", waited, session)
		}
		if len(m.Members) != 1 {
			t.Fatalf("%d members, want 1", len(m.Members))
		}
	})
}

func TestGivingAnIDBackDisturbsNobody(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		m := gather(t, c, "g", 1)[0]
		r := request("g", "")
		r.RequireID = true
		given, err := c.Join(r).Wait(t.Context())
		if !errors.Is(err, ErrMemberIDRequired) {
			t.Fatal(err)
		}
		if errs, err := c.Leave("g", []Leaver{{Member: given.Member}}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
		beat(t, c, "g", m, nil)
	})
}
