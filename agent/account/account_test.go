package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// books are a Source that a test fills.
type books struct {
	mu      sync.Mutex
	changed []ledger.Entry
	gone    []ledger.Entry
	asked   []int
}

func (b *books) Changed(most int) []ledger.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.changed[:min(most, len(b.changed))]
	b.changed = b.changed[len(list):]
	b.asked = append(b.asked, len(list))
	return list
}

func (b *books) Forgotten() []ledger.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.gone
	b.gone = nil
	return list
}

// rounds is how many times something was asked for.
func (b *books) rounds() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

func (b *books) put(from, to int, acked int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := from; n < to; n++ {
		b.changed = append(b.changed, ledger.Entry{Host: "h", Path: fmt.Sprintf("/log/%d", n), Generation: "0000002a", Topic: "web_log", Acked: acked})
	}
}

func cluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// stored is the newest entry of every key in the topic, and how many records it holds.
func stored(t *testing.T, c *kfake.Cluster) (newest map[string]ledger.Entry, records int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(ledger.Topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	newest = map[string]ledger.Entry{}
	for end := c.PartitionInfo(ledger.Topic, 0).HighWatermark; int64(records) < end; {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			records++
			if delete(newest, string(r.Key)); r.Value == nil {
				return
			}
			e, err := ledger.Read(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			newest[string(e.Key())] = e
		})
	}
	return newest, records
}

func TestTheAccountHoldsTheNewestWordOfEachGeneration(t *testing.T) {
	c, b := cluster(t), &books{}
	p := New(Config{Kafka: kafka.Config{Brokers: c.ListenAddrs()}, Most: 100, Source: b})
	b.put(0, 250, 1)
	b.put(0, 10, 2)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range b.asked {
		if n > 100 {
			t.Errorf("a round of %d entries, want 100 at most", n)
		}
	}
	newest, _ := stored(t, c)
	if len(newest) != 250 || newest["web_log:0000002a:h:/log/3"].Acked != 2 || newest["web_log:0000002a:h:/log/30"].Acked != 1 {
		t.Errorf("the topic holds %d generations", len(newest))
	}
	info := c.TopicInfo(ledger.Topic)
	if policy := info.Configs["cleanup.policy"]; c.PartitionInfo(ledger.Topic, 1) != nil || policy == nil || *policy != "compact" {
		t.Errorf("the topic is %+v, want one compacted partition", info)
	}

	b.gone = []ledger.Entry{{Host: "h", Path: "/log/7", Generation: "0000002a", Topic: "web_log"}}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if newest, _ := stored(t, c); len(newest) != 249 {
		t.Errorf("a generation is forgotten and the topic holds %d, want 249", len(newest))
	}
}

func TestWhatCannotBeSentIsSentLater(t *testing.T) {
	c, b := cluster(t), &books{}
	refused := make(chan struct{}, 100)
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if len(refused) >= 3 {
			return nil, nil, false
		}
		refused <- struct{}{}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		part := kmsg.NewProduceResponseTopicPartition()
		part.ErrorCode = kerr.NotLeaderForPartition.Code
		topic.Topic, topic.Partitions = ledger.Topic, append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	p := New(Config{Kafka: kafka.Config{Brokers: append([]string{"127.0.0.1:1"}, c.ListenAddrs()...)}, Every: time.Millisecond, Source: b})
	b.put(0, 5, 1)
	if err := p.Flush(t.Context()); !errors.Is(err, kerr.NotLeaderForPartition) {
		t.Errorf("a refusal ends in %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	// Only what is acknowledged makes Run ask for more: a Run that ends between the append and
	// its answer sends the entries a second time, which a compacted topic may be sent.
	for ctx.Err() == nil && b.rounds() < 2 {
		<-time.After(time.Millisecond)
	}
	if cancel(); <-done != nil {
		t.Error("Run ended with an error")
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if newest, records := stored(t, c); len(newest) != 5 || records != 5 {
		t.Errorf("%d entries in %d records, want each of the five once", len(newest), records)
	}
}
