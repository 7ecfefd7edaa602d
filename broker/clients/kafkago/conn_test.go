package kafkago_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/clients"
	"github.com/segmentio/kafka-go"
)

func TestConnReadsAndWritesOnePartition(t *testing.T) {
	addr := serve(t)
	plain, err := kafka.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	topic := clients.Name("conn")
	if err := plain.CreateTopics(kafka.TopicConfig{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if list, err := plain.ReadPartitions(topic); err != nil || len(list) != 2 {
		t.Errorf("partitions are %+v, %v", list, err)
	}
	if controller, err := plain.Controller(); err != nil || controller.ID != 1 {
		t.Errorf("the controller is %+v, %v", controller, err)
	}
	leader, err := kafka.DialLeader(t.Context(), "tcp", addr, topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	if err := leader.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for i, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		m := kafka.Message{Key: []byte("k"), Value: fmt.Append(nil, "line ", i), Time: time.UnixMilli(int64(1_700_000_000_000 + i*1000))}
		if codec == 0 {
			_, err = leader.WriteMessages(m)
		} else {
			_, err = leader.WriteCompressedMessages(codec.Codec(), m)
		}
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
	}
	if first, last, err := leader.ReadOffsets(); err != nil || first != 0 || last != 5 {
		t.Errorf("offsets are %d to %d, %v", first, last, err)
	}
	if at, err := leader.ReadOffset(time.UnixMilli(1_700_000_002_000)); err != nil || at != 2 {
		t.Errorf("the offset of a time is %d, %v, want 2", at, err)
	}
	if _, err := leader.Seek(1, kafka.SeekAbsolute); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 5; i++ {
		if m, err := leader.ReadMessage(1 << 20); err != nil || string(m.Value) != fmt.Sprint("line ", i) || m.Offset != int64(i) {
			t.Errorf("message %d is %+v, %v", i, m, err)
		}
	}
	if err := plain.DeleteTopics(topic); err != nil {
		t.Error(err)
	}
}

func TestWriterSpreadsAsItIsTold(t *testing.T) {
	addr := serve(t)
	for name, balancer := range map[string]kafka.Balancer{"round robin": &kafka.RoundRobin{}, "least bytes": &kafka.LeastBytes{}, "hash": &kafka.Hash{},
		"reference hash": &kafka.ReferenceHash{}, "crc32": &kafka.CRC32Balancer{}, "murmur2": &kafka.Murmur2Balancer{}} {
		for _, acks := range []kafka.RequiredAcks{kafka.RequireNone, kafka.RequireOne, kafka.RequireAll} {
			topic := clients.Topic(t, addr, "spread", 3)
			transport := &kafka.Transport{}
			w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, Balancer: balancer, RequiredAcks: acks, BatchTimeout: 5 * time.Millisecond, Transport: transport}
			var list []kafka.Message
			for i := range 30 {
				list = append(list, kafka.Message{Key: fmt.Append(nil, "key ", i%5), Value: []byte("line")})
			}
			if err := w.WriteMessages(t.Context(), list...); err != nil {
				t.Errorf("%s, acks %s: %v", name, acks, err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			cl := &kafka.Client{Addr: kafka.TCP(addr), Transport: transport}
			clients.Eventually(t, "all 30 lines with "+name, func() bool { return lastOffsets(t, cl, topic, 3) == 30 })
			transport.CloseIdleConnections()
		}
	}
}

// lastOffsets is the sum of the newest offsets of a topic's partitions.
func lastOffsets(t *testing.T, cl *kafka.Client, topic string, partitions int) (sum int64) {
	t.Helper()
	var asked []kafka.OffsetRequest
	for p := range partitions {
		asked = append(asked, kafka.LastOffsetOf(p))
	}
	listed, err := cl.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range listed.Topics[topic] {
		sum += p.LastOffset
	}
	return sum
}

func TestClientAdministers(t *testing.T) {
	addr := serve(t)
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	cl := &kafka.Client{Addr: kafka.TCP(addr), Transport: transport, Timeout: 20 * time.Second}
	topic, group, ctx := clients.Name("admin"), clients.Name("group"), t.Context()
	ok := func(what string, errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	created, err := cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 2, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "60000"}}}}})
	ok("creating a topic", err, created.Errors[topic])
	again, err := cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}}})
	if err != nil || !errors.Is(again.Errors[topic], kafka.TopicAlreadyExists) {
		t.Errorf("creating it again: %v, %v", err, again.Errors[topic])
	}
	more, err := cl.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 3}}})
	ok("adding a partition", err, more.Errors[topic])
	altered, err := cl.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: "70000"}}}}})
	ok("altering settings", err, altered.Resources[0].Error)
	shown, err := cl.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"}}}})
	ok("describing settings", err)
	if c := shown.Resources[0].ConfigEntries; len(c) != 1 || c[0].ConfigValue != "70000" {
		t.Errorf("retention.ms is %+v", c)
	}
	ok("producing", produce(ctx, addr, topic, "none", clients.Lines(0, 30, 3)))
	committed, err := cl.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 1, Offset: 7, Metadata: "a word"}}}})
	ok("committing", err, committed.Topics[topic][0].Error)
	fetched, err := cl.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {1}}})
	ok("asking for it", err)
	if p := fetched.Topics[topic][0]; p.CommittedOffset != 7 || p.Metadata != "a word" {
		t.Errorf("committed is %+v", p)
	}
	listed, err := cl.ListGroups(ctx, &kafka.ListGroupsRequest{})
	ok("listing groups", err)
	found := false
	for _, g := range listed.Groups {
		found = found || g.GroupID == group
	}
	if !found {
		t.Errorf("%s is not among %+v", group, listed.Groups)
	}
	described, err := cl.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	ok("describing the group", err)
	if described.Groups[0].GroupState != "Empty" {
		t.Errorf("the group is %+v", described.Groups[0])
	}
	gone, err := cl.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	ok("deleting the group", err, gone.Errors[group])
	deleted, err := cl.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	ok("deleting the topic", err, deleted.Errors[topic])
}
