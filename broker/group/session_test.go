package group

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAMemberWithoutHeartbeatsIsRemovedAtTheEndOfItsSession(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 2)
		for range 3 {
			pass(3 * time.Second)
			beat(t, c, "g", members[0], nil)
		}
		pass(session - 9*time.Second - time.Millisecond)
		beat(t, c, "g", members[0], nil)
		pass(2 * time.Millisecond)
		beat(t, c, "g", members[0], ErrRebalancing)
		beat(t, c, "g", members[1], ErrUnknownMember)
		m := mustJoin(t, joinLater(t, c, request("g", members[0].Member)))
		if len(m.Members) != 1 {
			t.Fatalf("%d members, want the one that lives", len(m.Members))
		}
	})
}

func TestAGroupWhoseMembersAllVanishBecomesEmptyAndKeepsItsGenerations(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 3)
		pass(session + time.Second)
		if s := stateOf(t, c, "g"); s != Empty {
			t.Fatalf("group is %s, want Empty", s)
		}
		if again := gather(t, c, "g", 1); again[0].Generation <= members[0].Generation {
			t.Fatalf("generation %d after %d", again[0].Generation, members[0].Generation)
		}
	})
}

func TestWhoJoinsAndNeverAsksForItsAssignmentIsRemoved(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		first := joinLater(t, c, request("g", ""))
		second := joinLater(t, c, request("g", ""))
		a, b := mustJoin(t, first), mustJoin(t, second)
		if b.Leader == b.Member {
			a, b = b, a
		}
		if _, err := c.Sync(SyncRequest{Group: "g", Member: a.Member, Generation: a.Generation}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range int(rebalance/session) * 2 { // both live on
			pass(session / 2)
			c.Heartbeat("g", a.Member, "", a.Generation)
			c.Heartbeat("g", b.Member, "", b.Generation)
		}
		beat(t, c, "g", a, ErrRebalancing)
		beat(t, c, "g", b, ErrUnknownMember)
	})
}

func TestALeaderThatDiesBeforeItAssignsIsReplaced(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		first := joinLater(t, c, request("g", ""))
		synctest.Wait()
		second := joinLater(t, c, request("g", ""))
		leader, follower := mustJoin(t, first), mustJoin(t, second)
		began := time.Now()
		_, err := c.Sync(SyncRequest{Group: "g", Member: follower.Member, Generation: follower.Generation}).Wait(t.Context())
		if !errors.Is(err, ErrRebalancing) || time.Since(began) > session {
			t.Fatalf("the follower waited %s and got %v, want ErrRebalancing at the end of the leader's session", time.Since(began), err)
		}
		m := mustJoin(t, joinLater(t, c, request("g", follower.Member)))
		if m.Leader != follower.Member || m.Generation != leader.Generation+1 {
			t.Fatalf("leader %s of generation %d, want %s of %d", m.Leader, m.Generation, follower.Member, leader.Generation+1)
		}
	})
}

func TestHeartbeatsOfOthersAreRefused(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		m := gather(t, c, "g", 1)[0]
		beat(t, c, "g", JoinResult{Member: m.Member, Generation: m.Generation - 1}, ErrIllegalGeneration)
		beat(t, c, "g", JoinResult{Member: m.Member, Generation: m.Generation + 1}, ErrIllegalGeneration)
		beat(t, c, "g", JoinResult{Member: "who", Generation: m.Generation}, ErrUnknownMember)
		beat(t, c, "none", m, ErrUnknownMember)
		beat(t, c, "", m, ErrInvalidGroup)
	})
}

func TestLeavingTellsTheOthersAtOnce(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "g", 2)
		errs, err := c.Leave("g", []Leaver{{Member: members[1].Member}, {Member: "who"}})
		if err != nil || errs[0] != nil || !errors.Is(errs[1], ErrUnknownMember) {
			t.Fatalf("leaving: %v, %v", errs, err)
		}
		beat(t, c, "g", members[0], ErrRebalancing)
		if m := mustJoin(t, joinLater(t, c, request("g", members[0].Member))); len(m.Members) != 1 {
			t.Fatalf("%d members, want 1", len(m.Members))
		}
	})
}

func TestSyncsThatAreRefused(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		m := gather(t, c, "g", 1)[0]
		other := "sticky"
		for _, tc := range []struct {
			name string
			r    SyncRequest
			want error
		}{
			{"unknown group", SyncRequest{Group: "none", Member: m.Member, Generation: m.Generation}, ErrUnknownMember},
			{"unknown member", SyncRequest{Group: "g", Member: "who", Generation: m.Generation}, ErrUnknownMember},
			{"old generation", SyncRequest{Group: "g", Member: m.Member, Generation: m.Generation - 1}, ErrIllegalGeneration},
			{"other protocol", SyncRequest{Group: "g", Member: m.Member, Generation: m.Generation, Protocol: &other}, ErrInconsistentProtocol},
			{"no group", SyncRequest{Member: m.Member}, ErrInvalidGroup},
		} {
			if _, err := c.Sync(tc.r).Wait(t.Context()); !errors.Is(err, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			}
		}
	})
}

func TestAnAssignmentThatCannotBeStoredIsNotHandedOut(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		m := mustJoin(t, joinLater(t, c, request("g", "")))
		log.mu.Lock()
		log.full = errors.New("no space left on device")
		log.mu.Unlock()
		r := SyncRequest{Group: "g", Member: m.Member, Generation: m.Generation, Assignments: []Assignment{{m.Member, []byte("all")}}}
		if _, err := c.Sync(r).Wait(t.Context()); !errors.Is(err, ErrNotStored) {
			t.Fatalf("sync with a full disk: %v, want ErrNotStored", err)
		}
		log.mu.Lock()
		log.full = nil
		log.mu.Unlock()
		m = mustJoin(t, joinLater(t, c, request("g", m.Member)))
		r.Generation = m.Generation
		if got, err := c.Sync(r).Wait(t.Context()); err != nil || string(got.Data) != "all" {
			t.Fatalf("sync once there is room: %q, %v", got.Data, err)
		}
	})
}

func TestWhoIsRemovedWhileItWaitsIsAnswered(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		first := joinLater(t, c, request("g", ""))
		synctest.Wait()
		second := joinLater(t, c, request("g", ""))
		mustJoin(t, first)
		follower := mustJoin(t, second)
		waiting := make(chan error, 1)
		go func() {
			_, err := c.Sync(SyncRequest{Group: "g", Member: follower.Member, Generation: follower.Generation}).Wait(t.Context())
			waiting <- err
		}()
		synctest.Wait()
		began := time.Now()
		if errs, err := c.Leave("g", []Leaver{{Member: follower.Member}}); err != nil || errs[0] != nil {
			t.Fatalf("leaving: %v, %v", errs, err)
		}
		if err := <-waiting; !errors.Is(err, ErrUnknownMember) || time.Since(began) > 0 {
			t.Fatalf("the sync of a removed member: %v after %s, want ErrUnknownMember at once", err, time.Since(began))
		}
		newcomer := request("g", "")
		newcomer.RequireID = true
		res, _ := c.Join(newcomer).Wait(t.Context())
		joining := joinLater(t, c, request("g", res.Member))
		synctest.Wait()
		if errs, err := c.Leave("g", []Leaver{{Member: res.Member}}); err != nil || errs[0] != nil {
			t.Fatalf("leaving: %v, %v", errs, err)
		}
		if j := <-joining; !errors.Is(j.err, ErrUnknownMember) || time.Since(began) > 0 {
			t.Fatalf("the join of a removed member: %v after %s, want ErrUnknownMember at once", j.err, time.Since(began))
		}
	})
}
