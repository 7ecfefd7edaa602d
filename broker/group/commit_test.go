package group

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func TestWhoMayCommitInWhichState(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		nobody := JoinResult{}
		try := func(when string, m JoinResult, want error) {
			t.Helper()
			if err := commitOne(t, c, "g", m, 1); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", when, err, want)
			}
		}
		try("a generation of a group that is not there", JoinResult{Member: "who", Generation: 1}, ErrIllegalGeneration)
		try("simple consumer, no group yet", nobody, nil)
		try("a member of an empty group", JoinResult{Member: "who", Generation: 1}, ErrUnknownMember)
		first := joinLater(t, c, request("g", ""))
		m := mustJoin(t, first)
		try("before the assignment", m, ErrRebalancing)
		syncAll(t, c, "g", []JoinResult{m})
		try("stable", m, nil)
		try("stable, older generation", JoinResult{Member: m.Member, Generation: m.Generation - 1}, ErrIllegalGeneration)
		try("stable, unknown member", JoinResult{Member: "who", Generation: m.Generation}, ErrUnknownMember)
		try("stable, simple consumer", nobody, ErrUnknownMember)
		second := joinLater(t, c, request("g", ""))
		synctest.Wait()
		try("while members gather, of the ending generation", m, nil)
		back := mustJoin(t, joinLater(t, c, request("g", m.Member)))
		mustJoin(t, second)
		try("after the barrier, of the old generation", m, ErrIllegalGeneration)
		try("after the barrier, before the assignment", back, ErrRebalancing)
	})
}

func TestACommitKeepsTheSessionAlive(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		m := gather(t, c, "g", 1)[0]
		for i := range 5 {
			pass(session - time.Second)
			if err := commitOne(t, c, "g", m, record.Offset(i)); err != nil {
				t.Fatal(err)
			}
		}
		beat(t, c, "g", m, nil)
	})
}

func TestACommitIsAnsweredAndSeenOnceItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Second}
		c, stop := start(t, Config{}, log)
		defer stop()
		done := make(chan error, 1)
		go func() { done <- commitOne(t, c, "g", JoinResult{}, 7) }()
		synctest.Wait()
		if got := fetchOne(t, c, "g"); got != -1 || len(done) != 0 {
			t.Fatalf("before the disk has it: fetched %d, answers %d", got, len(done))
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := fetchOne(t, c, "g"); got != 7 {
			t.Fatalf("fetched %d, want 7", got)
		}
	})
}

func TestACommitThatTheDiskLosesIsNotSeen(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		if err := commitOne(t, c, "g", JoinResult{}, 7); err != nil {
			t.Fatal(err)
		}
		log.mu.Lock()
		log.broken = errors.New("input/output error")
		log.mu.Unlock()
		for _, id := range []ID{"g", "other"} {
			if err := commitOne(t, c, id, JoinResult{}, 8); !errors.Is(err, ErrNotStored) {
				t.Fatalf("commit on a failing disk: %v, want ErrNotStored", err)
			}
		}
		if a, b := fetchOne(t, c, "g"), fetchOne(t, c, "other"); a != 7 || b != -1 {
			t.Fatalf("fetched %d and %d, want 7 and none", a, b)
		}
		if s := stateOf(t, c, "other"); s != Dead {
			t.Fatalf("the group of the lost commit is %s, want it gone", s)
		}
	})
}

func TestOnePartitionRefusedDoesNotRefuseTheOthers(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		mine := errors.New("no such partition")
		r := CommitRequest{Group: "g", Generation: -1, Offsets: []Commit{
			{Partition: Partition{"t", 0}, Offset: 5, Metadata: `{"e":9}`, LeaderEpoch: 3},
			{Partition: Partition{"t", 1}, Offset: 5, Metadata: strings.Repeat("x", 4097)},
			{Partition: Partition{"u", 0}, Offset: 5, Err: mine},
		}}
		c.Commit(r).Wait(t.Context())
		if r.Offsets[0].Err != nil || !errors.Is(r.Offsets[1].Err, ErrMetadataTooLong) || !errors.Is(r.Offsets[2].Err, mine) {
			t.Fatalf("errors %v, %v, %v", r.Offsets[0].Err, r.Offsets[1].Err, r.Offsets[2].Err)
		}
		found, err := c.Fetch(FetchRequest{Group: "g", Partitions: []Partition{{"t", 0}, {"t", 1}, {"u", 0}}})
		if err != nil || len(found) != 1 {
			t.Fatalf("fetched %v, %v, want one partition", found, err)
		}
		if v := found[Partition{"t", 0}]; v.Offset != 5 || v.Metadata != `{"e":9}` || v.LeaderEpoch != 3 {
			t.Fatalf("fetched %+v", v)
		}
	})
}

func TestOffsetsInMemoryAreBounded(t *testing.T) {
	world(t, Config{MaxOffsetBytes: 100_000}, func(t *testing.T, c *Coordinator, _ *memLog) {
		stored := 0
		for i := range int32(2000) {
			r := CommitRequest{Group: "g", Generation: -1, Offsets: []Commit{{Partition: Partition{"t", i}, Offset: 1}}}
			c.Commit(r).Wait(t.Context())
			if r.Offsets[0].Err == nil {
				stored++
			} else if !errors.Is(r.Offsets[0].Err, ErrNoRoom) {
				t.Fatal(r.Offsets[0].Err)
			}
		}
		if used := c.use.offsets.Load(); stored == 2000 || stored < 100 || used > 100_000 {
			t.Fatalf("%d stored in %d bytes of 100000", stored, used)
		}
		if err := commitOne(t, c, "g", JoinResult{}, 2); err != nil {
			t.Fatalf("moving on where there is a commit already: %v", err)
		}
		if err := c.Delete("g").Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if used := c.use.offsets.Load(); used != 0 {
			t.Fatalf("%d bytes booked after the group has gone", used)
		}
	})
}

func TestACommitGivenUpByItsClientMayLandAndHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := start(t, Config{}, &memLog{lag: time.Minute})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := CommitRequest{Group: "g", Generation: -1, Offsets: []Commit{{Partition: Partition{"t", 0}, Offset: 3}}}
		c.Commit(r).Wait(ctx)
		if !errors.Is(r.Offsets[0].Err, context.DeadlineExceeded) {
			t.Fatalf("given up: %v", r.Offsets[0].Err)
		}
		pass(2 * time.Minute)
		if got := fetchOne(t, c, "g"); got != 3 {
			t.Fatalf("fetched %d, want 3", got)
		}
	})
}

func TestGoingDownAnswersWhoeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, stop := start(t, Config{}, &memLog{lag: time.Hour})
		commits := make(chan error, 1)
		go func() { commits <- commitOne(t, c, "g", JoinResult{}, 3) }()
		first := joinLater(t, c, request("h", ""))
		second := joinLater(t, c, request("h", ""))
		a, b := mustJoin(t, first), mustJoin(t, second)
		if b.Leader == b.Member {
			a, b = b, a
		}
		syncs := make(chan error, 1)
		go func() {
			_, err := c.Sync(SyncRequest{Group: "h", Member: b.Member, Generation: b.Generation}).Wait(t.Context())
			syncs <- err
		}()
		joins := joinLater(t, c, request("i", ""))
		synctest.Wait()
		stop()
		for what, err := range map[string]error{"commit": <-commits, "sync": <-syncs, "join": (<-joins).err} {
			if !errors.Is(err, ErrStopped) {
				t.Errorf("%s while going down: %v, want ErrStopped", what, err)
			}
		}
		if err := commitOne(t, c, "g", JoinResult{}, 4); !errors.Is(err, ErrStopped) {
			t.Errorf("commit after going down: %v, want ErrStopped", err)
		}
		if _, err := c.Join(request("j", "")).Wait(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("join after going down: %v, want ErrStopped", err)
		}
		beat(t, c, "h", a, nil)
	})
}
