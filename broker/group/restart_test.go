package group

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func TestARestartDisturbsNoMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		c, stop := start(t, Config{}, log)
		a, b := pair(t, c)
		members := gather(t, c, "plain", 3)
		if err := commitOne(t, c, "plain", members[1], 42); err != nil {
			t.Fatal(err)
		}
		stop()

		c, stop = start(t, Config{}, log.crashed(never))
		defer stop()
		for _, m := range members {
			beat(t, c, "plain", m, nil)
			got, err := c.Sync(SyncRequest{Group: "plain", Member: m.Member, Generation: m.Generation}).Wait(t.Context())
			if err != nil || string(got.Data) != string(m.Member) {
				t.Fatalf("assignment %q, %v after the restart", got.Data, err)
			}
		}
		if got := fetchOne(t, c, "plain"); got != 42 {
			t.Fatalf("fetched %d, want 42", got)
		}
		if err := commitOne(t, c, "plain", members[0], 43); err != nil {
			t.Fatal(err)
		}
		back := mustJoin(t, joinLater(t, c, steady("g", "two", "")))
		if back.Generation != b.Generation || back.Leader != a.Member {
			t.Fatalf("static member came back in generation %d under %s", back.Generation, back.Leader)
		}
		pass(session + time.Second)
		if s := stateOf(t, c, "plain"); s != Empty {
			t.Fatalf("members that never came back after the restart: group is %s, want Empty", s)
		}
	})
}

func TestEveryAnsweredCommitSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		log := &memLog{lag: 3 * time.Millisecond}
		want := map[ID]record.Offset{}
		for crash := range 30 {
			c, stop := start(t, Config{RewriteBytes: 4000}, log)
			for id, offset := range want {
				if got := fetchOne(t, c, id); got < offset {
					t.Fatalf("after crash %d group %s is at %d, and %d was answered", crash, id, got, offset)
				}
			}
			for i := range 40 {
				id := ID(fmt.Sprint("g", rng.IntN(5)))
				offset := record.Offset(crash*100 + i)
				if err := commitOne(t, c, id, JoinResult{}, offset); err != nil {
					t.Fatal(err)
				}
				want[id] = offset
			}
			var last []chan error
			for range 3 { // not answered when the crash comes
				ch := make(chan error, 1)
				last = append(last, ch)
				go func() { ch <- commitOne(t, c, "g0", JoinResult{}, record.Offset(crash*100+50)) }()
			}
			pass(time.Duration(rng.IntN(3)) * time.Millisecond)
			log = log.crashed(func() bool { return rng.IntN(2) == 0 })
			stop()
			for _, ch := range last {
				<-ch
			}
		}
	})
}

func TestTheLogStaysSmallHoweverMuchIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		cfg := Config{RewriteBytes: 32 << 10}
		c, stop := start(t, cfg, log)
		members := gather(t, c, "g", 3)
		largest := 0
		for i := range 5000 {
			if err := commitOne(t, c, "g", members[i%3], record.Offset(i)); err != nil {
				t.Fatal(err)
			}
			if i%7 == 0 {
				if err := commitOne(t, c, ID(fmt.Sprint("simple", i%20)), JoinResult{}, record.Offset(i)); err != nil {
					t.Fatal(err)
				}
			}
			n, _ := log.size()
			largest = max(largest, n)
		}
		if largest > 2*32<<10 {
			t.Fatalf("the log grew to %d bytes", largest)
		}
		if log.first == 0 {
			t.Fatal("nothing was ever dropped")
		}
		stop()
		c, stop = start(t, cfg, log.crashed(never))
		defer stop()
		if got := fetchOne(t, c, "g"); got != 4999 {
			t.Fatalf("fetched %d after the restart, want 4999", got)
		}
		beat(t, c, "g", members[2], nil)
		if n := len(c.List()); n != 21 {
			t.Fatalf("%d groups after the restart, want 21", n)
		}
	})
}

func TestARewriteCarriesWhatIsStillInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: 100 * time.Millisecond}
		c, stop := start(t, Config{RewriteBytes: 1 << 40}, log)
		if err := commitOne(t, c, "g", JoinResult{}, 1); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- commitOne(t, c, "g", JoinResult{}, 2) }()
		synctest.Wait() // appended, not yet durable
		if err := c.rewrite(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		stop()
		c, stop = start(t, Config{}, log.crashed(never))
		defer stop()
		if got := fetchOne(t, c, "g"); got != 2 {
			t.Fatalf("fetched %d after rewrite and crash, want the answered 2", got)
		}
	})
}

func TestADamagedRecordIsPassedOverAndADamagedBatchIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{}
		b := record.NewBuilder(0)
		b.Append(0, []byte{0, 1, 0}, []byte("no key of ours"), 0, nil)
		b.Append(0, []byte{0, 9, 1, 2}, []byte("of a later version"), 0, nil)
		b.Append(0, offsetKey("g", Partition{"t", 0}), []byte{0, 3, 1}, 0, nil)
		b.Append(0, offsetKey("g", Partition{"t", 0}), offsetValue(Committed{Offset: 5, Time: time.Now()}), 0, nil)
		batch, err := b.Seal(nil, record.NoProducer, record.None, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := log.Append(batch); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		c, stop := start(t, Config{Logger: slog.New(slog.NewTextHandler(&said, nil))}, log)
		if got := fetchOne(t, c, "g"); got != 5 || strings.Count(said.String(), "passing over") != 2 {
			t.Fatalf("fetched %d, log:\n%s", got, said.String())
		}
		stop()
		log.batches[0][len(log.batches[0])-3] ^= 1
		c, err = New(Config{}, log)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "offset 0") {
			t.Fatalf("loading a flipped bit: %v, want an error that names the batch", err)
		}
	})
}

func TestADeletedGroupStaysDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		c, stop := start(t, Config{}, log)
		m := gather(t, c, "g", 1)[0]
		if err := commitOne(t, c, "g", m, 9); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete("g").Wait(t.Context()); !errors.Is(err, ErrNonEmpty) {
			t.Fatalf("deleting a group with a member: %v", err)
		}
		if _, err := c.Leave("g", []Leaver{{Member: m.Member}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete("g").Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Delete("g").Wait(t.Context()); !errors.Is(err, ErrNotFound) {
			t.Fatalf("deleting it twice: %v", err)
		}
		stop()
		c, stop = start(t, Config{}, log.crashed(never))
		defer stop()
		if list := c.List(); len(list) != 0 {
			t.Fatalf("after a restart there are %v", list)
		}
	})
}

func TestADeletedTopicIsForgottenByAllGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		c, stop := start(t, Config{}, log)
		for _, id := range []ID{"a", "b"} {
			if err := commitOne(t, c, id, JoinResult{}, 9); err != nil {
				t.Fatal(err)
			}
		}
		other := CommitRequest{Group: "b", Generation: -1, Offsets: []Commit{{Partition: Partition{"u", 0}, Offset: 4}}}
		c.Commit(other).Wait(t.Context())
		if err := c.DropTopic("t"); err != nil {
			t.Fatal(err)
		}
		if err := commitOne(t, c, "c", JoinResult{}, 1); err != nil { // waits for what is before it too
			t.Fatal(err)
		}
		stop()
		c, stop = start(t, Config{}, log.crashed(never))
		defer stop()
		found, err := c.Fetch(FetchRequest{Group: "b", All: true})
		if err != nil || len(found) != 1 || fetchOne(t, c, "a") != -1 {
			t.Fatalf("left after dropping the topic: %v of b, %d of a", found, fetchOne(t, c, "a"))
		}
	})
}
