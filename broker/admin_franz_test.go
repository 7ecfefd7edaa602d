package broker_test

import (
	"errors"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFranzAdministers(t *testing.T) {
	r := start(t, broker.Config{})
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.addr)) // which makes no topic that it only asks for
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	ctx := t.Context()
	made, err := admin.CreateTopics(ctx, -1, -1, map[string]*string{"segment.bytes": kadm.StringPtr("4096")}, "a", "b", "a.b", "a_b")
	if err != nil {
		t.Fatal(err)
	}
	if a := made["a"]; a.Err != nil || a.NumPartitions != 1 || a.ReplicationFactor != 1 || a.ID == (kadm.TopicID{}) || *a.Configs["segment.bytes"].Value != "4096" {
		t.Errorf("made is %+v", a)
	}
	if first, second := made["a.b"], made["a_b"]; errors.Is(first.Err, kerr.InvalidTopicException) == errors.Is(second.Err, kerr.InvalidTopicException) {
		t.Errorf("names that collide: %v and %v, want one refused", first.Err, second.Err)
	}
	if more, err := admin.CreatePartitions(ctx, 2, "a", "nothing"); err != nil || more["a"].Err != nil || !errors.Is(more["nothing"].Err, kerr.UnknownTopicOrPartition) {
		t.Errorf("more partitions: %+v, %v", more, err)
	}
	if topics, err := admin.ListTopics(ctx, "a"); err != nil || len(topics["a"].Partitions) != 3 || topics["a"].ID != made["a"].ID {
		t.Errorf("listed is %+v, %v", topics, err)
	}
	changes := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("1000")}, {Op: kadm.DeleteConfig, Name: "segment.bytes"}}
	if done, err := admin.AlterTopicConfigs(ctx, changes, "a", "b"); err != nil || done[0].Err != nil || done[1].Err != nil {
		t.Fatalf("altering: %v, %v", done, err)
	}
	configs, err := admin.DescribeTopicConfigs(ctx, "a")
	if err != nil || configs[0].Err != nil {
		t.Fatalf("settings: %v, %v", configs, err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" && (c.MaybeValue() != "1000" || c.Source != kmsg.ConfigSourceDynamicTopicConfig || len(c.Synonyms) < 1) {
			t.Errorf("retention.ms is %+v", c)
		}
		if c.Key == "segment.bytes" && (c.MaybeValue() != "1073741824" || c.Source != kmsg.ConfigSourceDefaultConfig) {
			t.Errorf("segment.bytes is %+v", c)
		}
	}
	if done, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "num.partitions", Value: kadm.StringPtr("4")}}, 1); err != nil || !errors.Is(done[0].Err, kerr.InvalidRequest) {
		t.Errorf("a read-only setting: %+v, %v", done, err)
	}
	if how, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{"a": {0: {}}}); err != nil || !errors.Is(how["a"][0].Err, kerr.ElectionNotNeeded) {
		t.Errorf("elected are %+v, %v", how, err)
	}
	if how, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil); err != nil || len(how["a"]) != 0 {
		t.Errorf("elected are %+v, %v", how, err)
	}
	if moving, err := admin.ListPartitionReassignments(ctx, kadm.TopicsSet{"a": {0: {}}}); err != nil || len(moving) != 0 {
		t.Errorf("on their way are %+v, %v", moving, err)
	}
	if dirs, err := admin.DescribeAllLogDirs(ctx, nil); err != nil || len(dirs[1]) != 1 {
		t.Errorf("log dirs are %+v, %v", dirs, err)
	}
	deleted, err := admin.DeleteTopics(ctx, "a", "nothing")
	if err != nil || deleted["a"].Err != nil || !errors.Is(deleted["nothing"].Err, kerr.UnknownTopicOrPartition) {
		t.Errorf("deleted are %+v, %v", deleted, err)
	}
}

func TestATopicIsDeletedByItsID(t *testing.T) {
	r := start(t, broker.Config{})
	cl := r.client()
	made, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, "t")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(topics ...kmsg.DeleteTopicsRequestTopic) []kmsg.DeleteTopicsResponseTopic {
		t.Helper()
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Topics = topics
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Topics
	}
	name := "t"
	byID := kmsg.DeleteTopicsRequestTopic{TopicID: made.ID}
	if got := ask(byID, byID); len(got) != 1 || got[0].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("named twice: %+v", got)
	}
	if got := ask(kmsg.DeleteTopicsRequestTopic{Topic: &name, TopicID: made.ID}); got[0].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("named and numbered: %+v", got)
	}
	if got := ask(byID); got[0].ErrorCode != 0 || got[0].Topic == nil || *got[0].Topic != "t" {
		t.Errorf("deleted is %+v", got)
	}
	if got := ask(byID); got[0].ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("deleted again: %+v", got)
	}
}

// TestAnswersToWhatIsNotThere asks for a broker, partitions and assignments that there are not.
func TestAnswersToWhatIsNotThere(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"t:1"}})
	conn := r.dial()
	describe := kmsg.NewPtrDescribeConfigsRequest()
	for _, name := range []string{"7", "x"} {
		resource := kmsg.NewDescribeConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeBroker, name
		describe.Resources = append(describe.Resources, resource)
	}
	for _, got := range call[*kmsg.DescribeConfigsResponse](t, conn, 4, describe).Resources {
		if got.ErrorCode != kerr.InvalidRequest.Code || len(got.Configs) != 0 {
			t.Errorf("broker %s: code %d with %d settings", got.ResourceName, got.ErrorCode, len(got.Configs))
		}
	}
	sizes := kmsg.NewPtrDescribeLogDirsRequest()
	sizes.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "t", Partitions: []int32{9}}}
	if got := call[*kmsg.DescribeLogDirsResponse](t, conn, 4, sizes); len(got.Dirs) != 1 || len(got.Dirs[0].Topics) != 0 {
		t.Errorf("sizes are %+v", got.Dirs)
	}
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{}}}
	for v := range int16(4) {
		if got := call[*kmsg.CreatePartitionsResponse](t, conn, v, more); got.Topics[0].ErrorCode != kerr.InvalidReplicaAssignment.Code {
			t.Errorf("v%d, no assignments for two partitions: %+v", v, got.Topics)
		}
	}
}

// TestSettingsTakeEffectWhileTheBrokerRuns changes settings and looks at what the broker does.
func TestSettingsTakeEffectWhileTheBrokerRuns(t *testing.T) {
	r := start(t, broker.Config{})
	cl := r.client(kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	topic := func(name, value string) {
		t.Helper()
		done, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, "t")
		if err != nil || done[0].Err != nil {
			t.Fatalf("setting %s: %v, %v", name, done, err)
		}
	}
	send := func(bytes int) error {
		return cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, bytes)}).FirstErr()
	}
	if err := send(1_900_000); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("1.9 MB at the default: %v", err)
	}
	done, err := admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "message.max.bytes", Value: kadm.StringPtr("2000000")}})
	if err != nil || done[0].Err != nil {
		t.Fatalf("for all brokers: %v, %v", done, err)
	}
	if err := send(1_900_000); err != nil {
		t.Errorf("1.9 MB at 2000000: %v", err)
	}
	if err := send(2_100_000); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("2.1 MB at 2000000: %v", err)
	}
	topic("max.message.bytes", "3000000")
	if err := send(2_100_000); err != nil {
		t.Errorf("2.1 MB at the topic's 3000000: %v", err)
	}
	topic("message.timestamp.type", "LogAppendTime")
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got := r.consume("t", 3)
	if got[0].Attrs.TimestampType() != 0 || got[2].Attrs.TimestampType() != 1 {
		t.Errorf("timestamp types are %d and %d, want 0 before the change and 1 after it", got[0].Attrs.TimestampType(), got[2].Attrs.TimestampType())
	}
	topic("min.insync.replicas", "2")
	if err := send(1); err != nil { // no more are waited for than there are
		t.Errorf("with two replicas wanted: %v", err)
	}
}
