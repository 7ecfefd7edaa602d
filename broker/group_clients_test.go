package broker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tally counts who got which record, whatever the client.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
	by   map[string]int
}

func newTally() *tally { return &tally{seen: map[string]int{}, by: map[string]int{}} }

func (c *tally) add(member string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[string(value)]++
	c.by[member]++
}

func (c *tally) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

func (c *tally) of(member string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[member]
}

// saramaMember is one member of a sarama ConsumerGroup that marks and commits what it has counted.
type saramaMember struct {
	name  string
	count *tally
}

func (m saramaMember) Setup(sarama.ConsumerGroupSession) error     { return nil }
func (m saramaMember) Cleanup(s sarama.ConsumerGroupSession) error { s.Commit(); return nil }
func (m saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case msg, ok := <-c.Messages():
			if !ok {
				return nil
			}
			m.count.add(m.name, msg.Value)
			s.MarkMessage(msg, "")
		case <-s.Context().Done():
			return nil
		}
	}
}

// saramaGroup runs a member until the returned function is called, which waits for its end.
func (r *running) saramaGroup(group, name string, count *tally) (stop func()) {
	r.t.Helper()
	cfg := sarama.NewConfig()
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	cfg.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond // heartbeats queue behind long polls
	cfg.ClientID = name
	g, err := sarama.NewConsumerGroup([]string{r.addr}, group, cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{"shared"}, saramaMember{name, count}); err != nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
				r.t.Logf("%s: %v", name, err)
			}
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := g.Close(); err != nil {
			r.t.Errorf("closing %s: %v", name, err)
		}
	})
}

// spread produces n lines over all partitions of topic "shared".
func (r *running) spread(from, to int) {
	r.t.Helper()
	r.produce(r.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner())), "shared", from, to)
}

// committed is the sum of what a group has committed of "shared".
func (r *running) committed(group string) (sum int64) {
	offsets, err := kadm.NewClient(r.client()).FetchOffsets(r.t.Context(), group)
	if err != nil {
		r.t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	return sum
}

func TestSaramaGroupOfTwoRebalancesAndGoesOnWhereItWas(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"shared:4"}})
	count, admin := newTally(), kadm.NewClient(r.client())
	r.spread(0, 400)
	stopA := r.saramaGroup("g", "a", count)
	defer stopA()
	eventually(t, "the first member to read all", func() bool { return count.distinct() == 400 })
	stopB := r.saramaGroup("g", "b", count)
	defer stopB()
	eventually(t, "both members to have partitions", func() bool { return membersWithPartitions(t, admin, "g") == 2 })
	r.spread(400, 800)
	eventually(t, "both to read the rest", func() bool { return count.distinct() == 800 })
	if count.of("b") == 0 {
		t.Error("the second member read nothing after the rebalance")
	}
	stopB()
	r.spread(800, 1200)
	eventually(t, "the first member to read what was the other's", func() bool { return count.distinct() == 1200 })
	stopA()
	if sum := r.committed("g"); sum != 1200 {
		t.Errorf("committed %d of 1200", sum)
	}
	again := newTally()
	stopC := r.saramaGroup("g", "c", again)
	defer stopC()
	r.spread(1200, 1300)
	eventually(t, "a later member to read what is new", func() bool { return again.distinct() == 100 })
	if n := again.of("c"); n != 100 {
		t.Errorf("a later member read %d records, want the 100 new ones", n)
	}
}

// membersWithPartitions is how many members of a stable group were assigned something.
func membersWithPartitions(t *testing.T, admin *kadm.Client, group string) (n int) {
	t.Helper()
	described, err := admin.DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	if described[group].State != "Stable" {
		return 0
	}
	for _, m := range described[group].Members {
		if a, ok := m.Assigned.AsConsumer(); ok && len(a.Topics) > 0 {
			n++
		}
	}
	return n
}

func TestFranzGroupOfTwoRebalancesCooperativelyAndEagerly(t *testing.T) {
	for name, balancer := range map[string]kgo.GroupBalancer{"cooperative-sticky": kgo.CooperativeStickyBalancer(), "range": kgo.RangeBalancer()} {
		t.Run(name, func(t *testing.T) {
			r := start(t, broker.Config{CreateTopics: []string{"shared:4"}})
			count, admin := newTally(), kadm.NewClient(r.client())
			member := func(name string) (stop func()) {
				cl := r.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("shared"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
					kgo.Balancers(balancer), kgo.HeartbeatInterval(100*time.Millisecond), kgo.ClientID(name), kgo.FetchMaxWait(200*time.Millisecond), kgo.BlockRebalanceOnPoll())
				var polling sync.WaitGroup
				polling.Go(func() {
					for {
						fetches := cl.PollFetches(context.Background())
						if fetches.IsClientClosed() {
							cl.AllowRebalance()
							return
						}
						fetches.EachRecord(func(rec *kgo.Record) { count.add(name, rec.Value) })
						if err := cl.CommitUncommittedOffsets(context.Background()); err != nil {
							t.Logf("%s commits: %v", name, err)
						}
						cl.AllowRebalance()
					}
				})
				return sync.OnceFunc(func() {
					cl.CloseAllowingRebalance()
					polling.Wait()
				})
			}
			stopA := member("a")
			defer stopA()
			r.spread(0, 400)
			eventually(t, "the first member to read all", func() bool { return count.distinct() == 400 })
			stopB := member("b")
			defer stopB()
			eventually(t, "both members to have partitions", func() bool { return membersWithPartitions(t, admin, "g") == 2 })
			r.spread(400, 800)
			eventually(t, "both to read the rest", func() bool { return count.distinct() == 800 })
			if count.of("b") == 0 {
				t.Error("the second member read nothing after the rebalance")
			}
			stopA()
			r.spread(800, 1000)
			eventually(t, "the second member to read what was the other's", func() bool { return count.distinct() == 1000 })
			for value, n := range count.seen {
				if n != 1 {
					t.Errorf("%q was read %d times", value, n)
				}
			}
		})
	}
}
