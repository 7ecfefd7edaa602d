package group

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// steady is a static member's JoinGroup.
func steady(id ID, instance InstanceID, member MemberID) JoinRequest {
	r := request(id, member)
	r.Instance, r.RequireID, r.MaySkip = instance, true, true
	return r
}

// pair makes a stable group of two static members, the leader first.
func pair(t *testing.T, c *Coordinator) (a, b JoinResult) {
	t.Helper()
	first := joinLater(t, c, steady("g", "one", ""))
	synctest.Wait()
	second := joinLater(t, c, steady("g", "two", ""))
	a, b = mustJoin(t, first), mustJoin(t, second)
	syncAll(t, c, "g", []JoinResult{a, b})
	return a, b
}

func TestAStaticMemberComesBackWithoutARebalance(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		a, b := pair(t, c)
		again := mustJoin(t, joinLater(t, c, steady("g", "two", "")))
		if again.Member == b.Member || again.Generation != b.Generation || again.Leader != a.Member {
			t.Fatalf("came back as %s in generation %d under %s", again.Member, again.Generation, again.Leader)
		}
		got, err := c.Sync(SyncRequest{Group: "g", Member: again.Member, Instance: "two", Generation: again.Generation}).Wait(t.Context())
		if err != nil || string(got.Data) != string(b.Member) {
			t.Fatalf("assignment %q, %v, want what it had", got.Data, err)
		}
		beat(t, c, "g", a, nil)
		if err := c.Heartbeat("g", b.Member, "two", b.Generation); !errors.Is(err, ErrFencedInstance) {
			t.Fatalf("heartbeat of the former self: %v, want ErrFencedInstance", err)
		}
	})
}

func TestAStaticLeaderComesBackAndKeepsTheAssignment(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		a, _ := pair(t, c)
		again := mustJoin(t, joinLater(t, c, steady("g", "one", "")))
		if !again.SkipAssignment || again.Leader != again.Member || len(again.Members) != 2 {
			t.Fatalf("v9: skip %v, leader %s of %d members", again.SkipAssignment, again.Leader, len(again.Members))
		}
		old := steady("g", "one", "")
		old.MaySkip = false
		before := mustJoin(t, joinLater(t, c, old))
		if before.SkipAssignment || before.Leader != again.Member || len(before.Members) != 0 || before.Generation != a.Generation {
			t.Fatalf("v8: skip %v, leader %s, %d members", before.SkipAssignment, before.Leader, len(before.Members))
		}
	})
}

func TestAStaticMemberIsMissedOnlyAfterItsSession(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		a, b := pair(t, c)
		waiting := joinLater(t, c, steady("g", "three", ""))
		synctest.Wait()
		beat(t, c, "g", a, ErrRebalancing)
		back := joinLater(t, c, steady("g", "one", a.Member))
		began := time.Now()
		m := mustJoin(t, back)
		mustJoin(t, waiting)
		if d := time.Since(began); d > session || len(m.Members) != 2 {
			t.Fatalf("after %s the leader saw %d members, want 2 once %s's session was over", d, len(m.Members), b.Member)
		}
	})
}

func TestAnAdministratorRemovesAStaticMemberByItsName(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		a, b := pair(t, c)
		errs, err := c.Leave("g", []Leaver{{Instance: "two"}, {Instance: "nobody"}, {Member: "wrong", Instance: "one"}})
		if err != nil || errs[0] != nil || !errors.Is(errs[1], ErrUnknownMember) || !errors.Is(errs[2], ErrFencedInstance) {
			t.Fatalf("leaving: %v, %v", errs, err)
		}
		beat(t, c, "g", a, ErrRebalancing)
		beat(t, c, "g", b, ErrUnknownMember)
	})
}

func TestAStaticMemberComingBackWhileOthersWaitForTheAssignmentRebalances(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		first := joinLater(t, c, steady("g", "one", ""))
		synctest.Wait()
		second := joinLater(t, c, steady("g", "two", ""))
		a, b := mustJoin(t, first), mustJoin(t, second)
		again := joinLater(t, c, steady("g", "two", ""))
		synctest.Wait()
		beat(t, c, "g", a, ErrRebalancing)
		back := mustJoin(t, joinLater(t, c, steady("g", "one", a.Member)))
		if m := mustJoin(t, again); m.Generation != b.Generation+1 || back.Generation != m.Generation {
			t.Fatalf("generations %d and %d, want %d", m.Generation, back.Generation, b.Generation+1)
		}
	})
}

func TestAStaticMemberThatWaitsIsFencedByItsNextSelf(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		a, b := pair(t, c)
		changed := steady("g", "two", b.Member)
		changed.Protocols[0].Metadata = []byte("other topics")
		former := joinLater(t, c, changed)
		synctest.Wait()
		next := joinLater(t, c, steady("g", "two", ""))
		if j := <-former; !errors.Is(j.err, ErrFencedInstance) {
			t.Fatalf("the former self: %v, want ErrFencedInstance", j.err)
		}
		back := mustJoin(t, joinLater(t, c, steady("g", "one", a.Member)))
		if m := mustJoin(t, next); m.Generation != back.Generation || len(back.Members) != 2 {
			t.Fatalf("generations %d and %d, %d members", m.Generation, back.Generation, len(back.Members))
		}
	})
}
