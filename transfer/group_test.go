package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/transfer/worker"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The group hands out the partitions, and only our own fetcher reads them: every offset is asked for by Fetch v11 alone,
// and none again once an answer has held it.
func TestNoByteIsFetchedTwice(t *testing.T) {
	w := newWorld(t, 3, "web_log")
	var mu sync.Mutex
	next := map[int32]int64{}
	versions := map[int16]int{}
	var again []string
	w.cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		f := r.(*kmsg.FetchRequest)
		versions[f.Version]++
		for _, topic := range f.Topics {
			for _, p := range topic.Partitions {
				if p.FetchOffset < next[p.Partition] {
					again = append(again, fmt.Sprintf("partition %d at %d after %d", p.Partition, p.FetchOffset, next[p.Partition]))
				}
				next[p.Partition] = max(next[p.Partition], p.FetchOffset)
			}
		}
		return nil, nil, false
	})
	w.sinks.Put("out", fileSink)
	for p := range int32(3) {
		w.produce("web_log", p, 0, 2000)
	}
	tr := w.run()
	w.wantLines("web_log", 3, 2000)
	for p := range int32(3) {
		w.produce("web_log", p, 2000, 3000)
	}
	w.wantLines("web_log", 3, 3000)
	tr.stop()
	mu.Lock()
	defer mu.Unlock()
	if len(versions) != 1 || versions[11] == 0 {
		t.Errorf("Fetch requests by version: %v, want ours (11) alone: a claim fetches by itself", versions)
	}
	if len(again) != 0 {
		t.Errorf("fetched again: %v", again)
	}
}

// Transfers of one host join and leave under load; the partitions move, and no line is lost or doubled.
func TestPartitionsMoveBetweenTransfersWithoutAGapOrADouble(t *testing.T) {
	w := newWorld(t, 4, "web_log")
	w.sinks.Put("out", fileSink)
	const each = 6000
	producing := make(chan struct{})
	go func() {
		defer close(producing)
		for i := 0; i < each; i += 200 {
			for p := range int32(4) {
				w.produce("web_log", p, i, i+200)
			}
		}
	}()
	first := w.run(func(c *Config) { c.ID = "one" })
	for round := range 4 {
		second := w.run(func(c *Config) { c.ID = fmt.Sprint("two-", round) })
		eventually(t, "both have partitions", func() bool {
			a, b := first.route("out", "web_log"), second.route("out", "web_log")
			return len(a.Partitions) == 2 && len(b.Partitions) == 2 && a.State == etcdconf.StateRunning && b.State == etcdconf.StateRunning
		})
		if round%2 == 0 {
			first, second = second, first
		}
		second.stop()
	}
	<-producing
	w.wantLines("web_log", 4, each)
	eventually(t, "the last one has all", func() bool { return len(first.route("out", "web_log").Partitions) == 4 })
}

func TestAStaticMemberLeavesAtACleanEnd(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", fileSink)
	tr := w.run(func(c *Config) { c.ID = "one" })
	eventually(t, "running", func() bool { return tr.route("out", "web_log").State == etcdconf.StateRunning })
	tr.stop()
	if _, err := w.cluster.WaitGroupInfo(t.Context(), "loghaul-out", func(g *kfake.GroupInfo) bool { return g != nil && len(g.Members) == 0 }); err != nil {
		t.Fatalf("the group still has members: %v", err)
	}
}

// A broker that goes away and comes back at its address: the route waits, says why, and goes on.
func TestABrokerThatIsAwayIsWaitedFor(t *testing.T) {
	data := t.TempDir()
	port := freePort(t)
	start := func() *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(data), kfake.SeedTopics(2, "web_log"))
		if err != nil {
			t.Fatalf("starting the broker: %v", err)
		}
		return c
	}
	w := newWorld(t, 1)
	broker := start()
	w.connect(broker)
	w.sinks.Put("out", fileSink)
	tr := w.run()
	for round := range 3 {
		for p := range int32(2) {
			w.produce("web_log", p, round*100, (round+1)*100)
		}
		w.wantLines("web_log", 2, (round+1)*100)
		broker.Close()
		eventually(t, "the trouble is shown", func() bool { return tr.route("out", "web_log").Error != "" })
		broker = start()
		w.connect(broker)
	}
	w.produce("web_log", 0, 300, 310)
	w.produce("web_log", 1, 300, 310)
	w.wantLines("web_log", 2, 310)
	tr.stop()
	broker.Close()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, p, _ := net.SplitHostPort(l.Addr().String())
	port, _ := strconv.Atoi(p)
	return port
}

func TestATransferWithoutABrokerDrainsAtOnce(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", fileSink)
	tr := w.run(func(c *Config) { c.Kafka = kafka.Config{Brokers: []string{fmt.Sprintf("127.0.0.1:%d", freePort(t))}} })
	eventually(t, "the trouble is shown", func() bool { return tr.route("out", "web_log").Error != "" })
	began := time.Now()
	tr.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ending took %v", took)
	}
}

// A topic that is deleted and made anew is another topic: its lines begin at 0 and all of them are new. Here it comes back
// at once and shorter than before, there after its loss was noticed.
func TestATopicMadeAnewIsReadFromItsStart(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", fileSink)
	tr := w.run()
	w.produce("web_log", 0, 0, 50)
	w.wantLines("web_log", 1, 50)
	remake := func(between func()) {
		t.Helper()
		if err := w.cluster.DeleteTopic("web_log"); err != nil {
			t.Fatal(err)
		}
		between()
		if err := w.cluster.CreateTopic("web_log", 1, nil); err != nil {
			t.Fatal(err)
		}
		w.reconnect()
	}
	remake(func() {})
	w.produce("web_log", 0, 50, 70)
	w.wantLines("web_log", 1, 70)
	remake(func() {
		eventually(t, "the topic is missed", func() bool {
			return strings.Contains(tr.route("out", "web_log").Error, "does not exist")
		})
	})
	w.produce("web_log", 0, 70, 170)
	w.wantLines("web_log", 1, 170)
}

func TestCommitsAreMergedRetriedAndFenced(t *testing.T) {
	w := newWorld(t, 8, "web_log")
	c := newCluster(t.Context(), kafka.Config{Brokers: w.brokers})
	defer c.close()
	coord := &coordinator{cluster: c, group: "g"}
	defer coord.close()
	var mu sync.Mutex
	requests, refusals := 0, 3
	w.cluster.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		requests++
		if refusals == 0 {
			return nil, nil, false
		}
		refusals--
		resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
			answer := kmsg.NewOffsetCommitResponseTopic()
			answer.Topic = topic.Topic
			for _, p := range topic.Partitions {
				one := kmsg.NewOffsetCommitResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, kerr.CoordinatorLoadInProgress.Code
				answer.Partitions = append(answer.Partitions, one)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
	commits := newCommits(coord, nobody)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { commits.run(ctx) })
	errs := make(chan error, 8)
	for p := range int32(8) {
		go func() {
			errs <- commits.Commit(ctx, "web_log", p, worker.Commit{Offset: 5, Metadata: "m"})
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Errorf("committing: %v", err)
		}
	}
	found, err := coord.fetch(t.Context(), nil)
	if err != nil || len(found) != 8 || found[place{"web_log", 3}] != (worker.Commit{Offset: 5, Metadata: "m"}) {
		t.Errorf("read back %v, %v", found, err)
	}
	mu.Lock()
	if requests > 8 {
		t.Errorf("8 commits and 3 refusals took %d requests", requests)
	}
	mu.Unlock()
	commits.fence()
	if err := commits.Commit(ctx, "web_log", 0, worker.Commit{Offset: 6}); !errors.Is(err, worker.ErrFenced) {
		t.Errorf("after the fence: got %v, want ErrFenced", err)
	}
	wg.Wait()
}

func TestACommitOfAStrangerIsFenced(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", fileSink)
	tr := w.run()
	eventually(t, "running", func() bool { return tr.route("out", "web_log").State == etcdconf.StateRunning })
	c := newCluster(t.Context(), kafka.Config{Brokers: w.brokers})
	defer c.close()
	coord := &coordinator{cluster: c, group: "loghaul-out"}
	defer coord.close()
	stranger := newCommits(coord, member{id: "somebody-else", generation: 1})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { stranger.run(ctx) })
	if err := stranger.Commit(ctx, "web_log", 0, worker.Commit{Offset: 5}); !errors.Is(err, worker.ErrFenced) {
		t.Errorf("got %v, want ErrFenced", err)
	}
	cancel()
	wg.Wait()
}

func TestSubscriptions(t *testing.T) {
	found := map[string]topic{"web_a": {}, "web_b": {}, "web_b.dlq": {}, "__consumer_offsets": {}, "my_web_c": {}, ledger.Topic: {}}
	for _, c := range []struct{ topics, want []string }{
		{[]string{"web_a", "gone"}, []string{"web_a"}},
		{[]string{"~web_.*"}, []string{"web_a", "web_b"}},
		{[]string{"~.*", "web_b.dlq"}, []string{"my_web_c", "web_a", "web_b", "web_b.dlq"}},
		{[]string{"~web_a|web_b"}, []string{"web_a", "web_b"}},
		{[]string{"~loghaul.*|web_a"}, []string{"web_a"}},
		{[]string{ledger.Topic}, []string{ledger.Topic}},
	} {
		s, err := subscribe(c.topics)
		if err != nil {
			t.Fatal(err)
		}
		if got := sortedNames(s.pick(found)); !slices.Equal(got, c.want) {
			t.Errorf("%q picks %q, want %q", c.topics, got, c.want)
		}
	}
}
