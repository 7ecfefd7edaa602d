package group

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const day = 24 * time.Hour

func TestOffsetsOutliveTheLastMemberForTheRetention(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, log *memLog) {
		r := request("g", "")
		r.Session = 30 * time.Minute
		m := mustJoin(t, joinLater(t, c, r))
		syncAll(t, c, "g", []JoinResult{m})
		if err := commitOne(t, c, "g", m, 5); err != nil {
			t.Fatal(err)
		}
		for range 30 * 24 * 3 { // a member that lives for thirty days and commits nothing more
			pass(20 * time.Minute)
			beat(t, c, "g", m, nil)
		}
		if got := fetchOne(t, c, "g"); got != 5 {
			t.Fatalf("fetched %d while a member lives, want 5", got)
		}
		if _, err := c.Leave("g", []Leaver{{Member: m.Member}}); err != nil {
			t.Fatal(err)
		}
		pass(7*day - time.Hour)
		if got := fetchOne(t, c, "g"); got != 5 {
			t.Fatalf("fetched %d within the retention, want 5", got)
		}
		pass(2 * time.Hour)
		if s := stateOf(t, c, "g"); s != Dead {
			t.Fatalf("after the retention the group is %s, want it gone", s)
		}
		again := &Coordinator{cfg: c.cfg, log: log.crashed(always), deadlines: newDeadlines()}
		again.writer = statelog.NewWriter(statelog.Config{Name: Topic, Limit: 1}, again.log)
		again.mu.groups = map[ID]*group{}
		if err := again.Load(t.Context()); err != nil || len(again.List()) != 0 {
			t.Fatalf("a restart brings back %v, %v", again.List(), err)
		}
	})
}

func TestSimpleConsumersOffsetsAgeFromTheCommit(t *testing.T) {
	world(t, Config{Retention: day}, func(t *testing.T, c *Coordinator, _ *memLog) {
		if err := commitOne(t, c, "g", JoinResult{}, 5); err != nil {
			t.Fatal(err)
		}
		own := CommitRequest{Group: "g", Generation: -1, Offsets: []Commit{{Partition: Partition{"u", 0}, Offset: 1, Retention: time.Hour}}}
		c.Commit(own).Wait(t.Context())
		pass(2 * time.Hour)
		if found, _ := c.Fetch(FetchRequest{Group: "g", All: true}); len(found) != 1 || fetchOne(t, c, "g") != 5 {
			t.Fatalf("after two hours: %v, want only the one without a time of its own", found)
		}
		pass(day)
		if s := stateOf(t, c, "g"); s != Dead {
			t.Fatalf("after the retention the group is %s", s)
		}
	})
}

func TestALiveGroupForgetsTopicsItNoLongerReads(t *testing.T) {
	world(t, Config{Retention: time.Hour, RetentionCheck: time.Minute}, func(t *testing.T, c *Coordinator, _ *memLog) {
		if err := commitOne(t, c, "g", JoinResult{}, 5); err != nil {
			t.Fatal(err)
		}
		r := request("g", "")
		r.Session = 30 * time.Minute
		r.Protocols[0].Metadata = (&kmsg.ConsumerMemberMetadata{Version: 1, Topics: []string{"u"}}).AppendTo(nil)
		m := mustJoin(t, joinLater(t, c, r))
		syncAll(t, c, "g", []JoinResult{m})
		u := CommitRequest{Group: "g", Member: m.Member, Generation: m.Generation, Offsets: []Commit{{Partition: Partition{"u", 0}, Offset: 1}}}
		c.Commit(u).Wait(t.Context())
		for range 8 {
			pass(10 * time.Minute)
			beat(t, c, "g", m, nil)
		}
		found, err := c.Fetch(FetchRequest{Group: "g", All: true})
		if _, ok := found[Partition{"u", 0}]; err != nil || !ok || len(found) != 1 {
			t.Fatalf("left: %v, want only the topic that is read", found)
		}
	})
}

func TestAdministratorsSeeGroupsAsTheyAre(t *testing.T) {
	world(t, Config{}, func(t *testing.T, c *Coordinator, _ *memLog) {
		members := gather(t, c, "b", 2)
		if err := commitOne(t, c, "a", JoinResult{}, 1); err != nil {
			t.Fatal(err)
		}
		list := c.List()
		if len(list) != 2 || list[0] != (Listing{"a", "", Empty, false}) || list[1] != (Listing{"b", "consumer", Stable, false}) {
			t.Fatalf("list %v", list)
		}
		d, err := c.Describe("b")
		if err != nil || d.Protocol != "range" || len(d.Members) != 2 || string(d.Members[0].Assignment) != string(members[0].Member) ||
			string(d.Members[0].Metadata) != "m" || d.Members[0].ClientID != "app" {
			t.Fatalf("described as %+v, %v", d, err)
		}
		newcomer := joinLater(t, c, request("b", ""))
		synctest.Wait()
		if d, _ := c.Describe("b"); d.State != PreparingRebalance || d.Protocol != "" || d.Members[0].Assignment != nil {
			t.Fatalf("while rebalancing: %+v", d)
		}
		for _, m := range members {
			joinLater(t, c, request("b", m.Member))
		}
		mustJoin(t, newcomer)
	})
}

func TestEmptyConsumerGroupsAgeAcrossRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memLog{lag: time.Millisecond}
		topics := &fakeTopics{}
		topics.set("t", 1)
		cfg := Config{Topics: topics, Retention: 24 * time.Hour, RetentionCheck: time.Hour}
		c, stop := start(t, cfg, log)
		k := newClient(c, "g", "m", "t")
		if err := k.send(t.Context(), k.request()); err != nil {
			t.Fatal(err)
		}
		r := CommitRequest{Group: "g", Member: "m", Generation: Generation(k.epoch), Epochs: true, Offsets: []Commit{{Partition: Partition{"t", 0}, Offset: 5}}}
		if got := c.Commit(r).Wait(t.Context()); got[0].Err != nil {
			t.Fatal(got[0].Err)
		}
		if _, err := c.ConsumerHeartbeat(ConsumerRequest{Group: "g", Member: "m", Epoch: LeaveEpoch}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 { // a restart every twelve hours
			pass(12 * time.Hour)
			stop()
			c, stop = start(t, cfg, log.crashed(never))
			log = c.log.(*memLog)
		}
		pass(2 * time.Hour)
		defer stop()
		if got := fetchOne(t, c, "g"); got != -1 {
			t.Fatalf("two days after the last member left, the offset is still %d", got)
		}
	})
}
