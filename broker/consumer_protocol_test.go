package broker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// franzConsumer is a member of a group whose partitions the broker assigns (KIP-848).
func (r *running) franzConsumer(group string, opts ...kgo.Opt) *kgo.Client {
	return r.client(append(opts, kgo.ConsumerGroup(group), kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))...)
}

func TestFranzConsumersWithTheBrokersAssignment(t *testing.T) {
	// Heartbeats every 200 ms instead of every 5 s: the story is the same and shorter.
	settings := map[string]string{"group.consumer.heartbeat.interval.ms": "200"}
	r := start(t, broker.Config{CreateTopics: []string{"web_log:4"}, Settings: settings})
	seen := map[string]int{}
	read := func(cl *kgo.Client, n int) {
		t.Helper()
		for _, rec := range poll(t, cl, n) {
			seen[string(rec.Value)]++
		}
	}
	produce := func(from, to int) {
		t.Helper()
		p := r.client(kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
		for i := from; i < to; i++ {
			if err := p.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log", Value: fmt.Appendf(nil, "line %d", i)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(0, 40)
	one := r.franzConsumer("app", kgo.ConsumeTopics("web_log"))
	read(one, 40)
	if err := one.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	two := r.franzConsumer("app", kgo.ConsumeTopics("web_log"))
	r.untilShared(one, two)
	produce(40, 80)
	read(one, 20)
	read(two, 20)
	for _, cl := range []*kgo.Client{one, two} {
		if err := cl.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	two.Close()
	produce(80, 120)
	read(one, 40)
	if err := one.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	one.Close()
	for i := range 120 {
		if n := seen[fmt.Sprint("line ", i)]; n != 1 {
			t.Errorf("line %d was read %d times", i, n)
		}
	}
	again := r.franzConsumer("app", kgo.ConsumeTopics("web_log"))
	produce(120, 121)
	if got := poll(t, again, 1); string(got[0].Value) != "line 120" {
		t.Errorf("after the others have gone the first line is %q", got[0].Value)
	}
}

// untilShared waits until two members of "app" have two partitions each.
func (r *running) untilShared(one, two *kgo.Client) {
	r.t.Helper()
	conn := r.dial()
	eventually(r.t, "both members have two partitions", func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 50*time.Millisecond)
		defer cancel()
		one.PollFetches(ctx) // franz-go revokes between polls
		two.PollFetches(ctx)
		d := call[*kmsg.ConsumerGroupDescribeResponse](r.t, conn, 1, &kmsg.ConsumerGroupDescribeRequest{Groups: []string{"app"}}).Groups[0]
		if d.State != "Stable" || len(d.Members) != 2 {
			return false
		}
		for _, m := range d.Members {
			if len(m.Assignment.TopicPartitions) != 1 || len(m.Assignment.TopicPartitions[0].Partitions) != 2 {
				return false
			}
		}
		return true
	})
}

func TestFranzConsumesByARegularExpressionOfTheBroker(t *testing.T) {
	settings := map[string]string{"group.consumer.heartbeat.interval.ms": "200"}
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1", "other:1"}, Settings: settings})
	cl := r.franzConsumer("app", kgo.ConsumeTopics("web_.*"), kgo.ConsumeRegex())
	p := r.client()
	r.produce(p, "other", 0, 1)
	r.produce(p, "web_log", 0, 3)
	for _, rec := range poll(t, cl, 3) {
		if rec.Topic != "web_log" {
			t.Errorf("a record of %s", rec.Topic)
		}
	}
}

// TestConsumerHeartbeatOnTheWire asks in both versions, and for what is refused.
func TestConsumerHeartbeatOnTheWire(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2"}})
	conn := r.dial()
	beat := func(version int16, change func(*kmsg.ConsumerGroupHeartbeatRequest)) *kmsg.ConsumerGroupHeartbeatResponse {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.RebalanceTimeoutMillis = fmt.Sprint("app", version), "me", 10_000
		req.SubscribedTopicNames, req.Topics = []string{"web_log"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		change(req)
		return call[*kmsg.ConsumerGroupHeartbeatResponse](t, conn, version, req)
	}
	for v := range int16(2) {
		got := beat(v, func(*kmsg.ConsumerGroupHeartbeatRequest) {})
		wantCode(t, "joining", v, got.ErrorCode, 0)
		if got.MemberEpoch != 2 || got.HeartbeatIntervalMillis != 5000 || got.Assignment == nil || len(got.Assignment.Topics) != 1 || len(got.Assignment.Topics[0].Partitions) != 2 {
			t.Errorf("v%d: %+v", v, got)
		}
		got = beat(v, func(q *kmsg.ConsumerGroupHeartbeatRequest) {
			q.MemberEpoch, q.RebalanceTimeoutMillis, q.SubscribedTopicNames, q.Topics = 2, -1, nil, nil
		})
		if got.ErrorCode != 0 || got.Assignment != nil {
			t.Errorf("v%d, nothing new: %+v", v, got)
		}
	}
	text := func(s string) *string { return &s }
	for what, c := range map[string]struct {
		code   int16
		change func(*kmsg.ConsumerGroupHeartbeatRequest)
	}{
		"an epoch to come":         {110, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 9 }},
		"a stranger":               {25, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberID, q.MemberEpoch = "x", 1 }},
		"no group":                 {69, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.Group, q.MemberEpoch = "none", 1 }},
		"no member id":             {42, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberID = "" }},
		"an empty instance":        {42, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.InstanceID = text("") }},
		"an unknown assigner":      {112, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.ServerAssignor = text("sticky") }},
		"an unreadable expression": {128, func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicRegex = text("(") }},
	} {
		if got := beat(1, c.change); got.ErrorCode != c.code || got.ErrorMessage == nil || *got.ErrorMessage == "" {
			t.Errorf("%s: error %d, %v; want %d with a sentence", what, got.ErrorCode, got.ErrorMessage, c.code)
		}
	}
	list := call[*kmsg.ListGroupsResponse](t, conn, 5, &kmsg.ListGroupsRequest{TypesFilter: []string{"Consumer"}, StatesFilter: []string{"stable"}})
	if len(list.Groups) != 2 || list.Groups[0].GroupType != "consumer" || list.Groups[0].ProtocolType != "consumer" {
		t.Errorf("listed: %+v", list.Groups)
	}
	for v, want := range map[int16]int16{5: 0, 6: 69} {
		d := call[*kmsg.DescribeGroupsResponse](t, conn, v, &kmsg.DescribeGroupsRequest{Groups: []string{"app1"}}).Groups[0]
		if d.ErrorCode != want || d.State != "Dead" {
			t.Errorf("DescribeGroups v%d of it: error %d, %s", v, d.ErrorCode, d.State)
		}
	}
}
