package group

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAThousandMembersComeAndGo(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		const n = 1000
		members := make([]JoinResult, n)
		all := func(f func(i int)) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { f(i) })
			}
			wg.Wait()
		}
		for round := range 3 {
			all(func(i int) {
				r := request("crowd", "")
				r.RequireID = true
				r.Protocols[0].Metadata = make([]byte, 200)
				res, _ := c.Join(r).Wait(t.Context())
				r.Member = res.Member
				var err error
				if members[i], err = c.Join(r).Wait(t.Context()); err != nil {
					t.Errorf("round %d, member %d: %v", round, i, err)
				}
			})
			all(func(i int) {
				r := SyncRequest{Group: "crowd", Member: members[i].Member, Generation: members[i].Generation}
				for k, m := range members[i].Members {
					r.Assignments = append(r.Assignments, Assignment{m.ID, fmt.Appendf(nil, "share %d of %d", k, n)})
				}
				if res, err := c.Sync(r).Wait(t.Context()); err != nil || len(res.Data) == 0 {
					t.Errorf("round %d, member %d: assignment %q, %v", round, i, res.Data, err)
				}
			})
			for i := range members {
				if members[i].Generation != members[0].Generation {
					t.Fatalf("members in generations %d and %d", members[i].Generation, members[0].Generation)
				}
			}
			if round == 1 { // without a word
				pass(session + time.Second)
			} else {
				all(func(i int) { c.Leave("crowd", []Leaver{{Member: members[i].Member}}) })
			}
			if s := stateOf(t, c, "crowd"); s != Empty {
				t.Fatalf("round %d ends with %s, want Empty", round, s)
			}
		}
		if used, stored := c.use.members.Load(), int64(1000+groupBytes); used > stored {
			t.Fatalf("%d bytes are booked for members that have all gone", used)
		}
	})
}

func TestManyGroupsThatComeToNothingLeaveNothing(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		for i := range 2000 {
			id := ID(fmt.Sprint("g", i))
			r := request(id, "")
			r.RequireID = true
			c.Join(r).Wait(t.Context())
			c.Heartbeat(id, "who", "", 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			c.Join(request(id, "")).Wait(ctx)
			cancel()
		}
		pass(time.Minute)
		if list := c.List(); len(list) != 0 {
			t.Fatalf("%d groups are left", len(list))
		}
		if _, n := log.size(); n != 0 || c.use.members.Load() != 0 {
			t.Fatalf("%d batches and %d bytes are left", n, c.use.members.Load())
		}
		c.deadlines.mu.Lock()
		defer c.deadlines.mu.Unlock()
		if n := len(c.deadlines.mu.queue); n != 0 {
			t.Fatalf("%d deadlines are left", n)
		}
	})
}

func TestDeadlinesFireInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeadlines()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Now()
		fired := map[ID]time.Duration{}
		done := make(chan error, 1)
		go func() { done <- d.run(ctx, func(g *group) { fired[g.id] = time.Since(began) }) }()
		a, b, gone := &group{id: "a"}, &group{id: "b"}, &group{id: "gone"}
		d.set(a, began.Add(3*time.Second))
		d.set(b, began.Add(2*time.Second))
		d.set(gone, began.Add(time.Second))
		d.set(gone, time.Time{})
		d.set(a, began.Add(time.Second))
		pass(5 * time.Second)
		cancel()
		<-done
		if len(fired) != 2 || fired["a"] != time.Second || fired["b"] != 2*time.Second {
			t.Fatalf("fired %v", fired)
		}
	})
}
