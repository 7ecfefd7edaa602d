package broker_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumed is a topic of two partitions of which the group "app", with a member, has read three lines of
// ten; the member lives until the test ends.
func (r *running) consumed(topic string) {
	r.t.Helper()
	p := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 10 {
		if err := p.ProduceSync(r.t.Context(), &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte("line")}).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
	cl := r.client(kgo.ConsumerGroup("app"), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	poll(r.t, cl, 1)
	done := make(chan error, 1)
	cl.CommitOffsetsSync(r.t.Context(), map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: 3}}},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) { done <- err })
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// TestALagExporterThatAsks does what github.com/danielqsj/kafka_exporter does in a scrape, through the same library, at
// the version that it takes for granted (2.0.0) and at those where it asks in other words; and scrapes again.
func TestALagExporterThatAsks(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2", "quiet:1"}})
	r.consumed("web_log")
	conn := r.dial()
	commit := kmsg.NewPtrOffsetCommitRequest() // by someone who is no member
	commit.Group, commit.Generation = "simple", -1
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset = 1, 4
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "web_log", Partitions: []kmsg.OffsetCommitRequestTopicPartition{partition}}}
	wantCode(t, "committing", 2, call[*kmsg.OffsetCommitResponse](t, conn, 2, commit).Topics[0].Partitions[0].ErrorCode, 0)
	r.consumerGroup("new", "web_log")

	for _, version := range []sarama.KafkaVersion{sarama.V2_0_0_0, sarama.V0_9_0_0, sarama.V0_10_2_0, sarama.V4_0_0_0} {
		for _, all := range []bool{true, false} { // offset.show-all, true unless told otherwise
			t.Run(fmt.Sprint(version, " all ", all), func(t *testing.T) {
				e := newExporter(t, r.addr, version, all)
				for range 2 {
					members, lags := e.scrape(t)
					if len(members) != 3 || members["app"] != 1 || members["simple"] != 0 || members["new"] != 0 {
						t.Errorf("members by group: %v", members)
					}
					want := map[string]int64{"app web_log 0": 2, "app web_log 1": -1} // of partition 1 nothing is committed
					if all || e.offsetFetch() >= 2 {                                  // it names no partition for a group without members: from v2 that means all
						want["simple web_log 1"] = 1
					}
					if all {
						want["simple web_log 0"] = -1
					}
					if !maps.Equal(lags, want) {
						t.Errorf("lags %v, want %v", lags, want)
					}
				}
			})
		}
	}
}

// consumerGroup makes a group of the protocol of KIP-848 with a member.
func (r *running) consumerGroup(id, topic string) {
	r.t.Helper()
	beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis, beat.SubscribedTopicNames = id, "me", 1000, []string{topic}
	beat.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	wantCode(r.t, "joining", 1, call[*kmsg.ConsumerGroupHeartbeatResponse](r.t, r.dial(), 1, beat).ErrorCode, 0)
}

// exporter asks as the program does.
type exporter struct {
	client sarama.Client
	all    bool // ask for the offsets of all partitions, not only of those that members have
}

func newExporter(t *testing.T, addr string, version sarama.KafkaVersion, all bool) exporter {
	cfg := sarama.NewConfig()
	cfg.ClientID, cfg.Version = "kafka_exporter", version
	cfg.Metadata.RefreshFrequency, cfg.Metadata.AllowAutoTopicCreation = 30*time.Second, false
	client, err := sarama.NewClient([]string{addr}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return exporter{client, all}
}

// offsetFetch is the version of OffsetFetch that it sends.
func (e exporter) offsetFetch() int16 {
	version := e.client.Config().Version
	for _, v := range []struct {
		since sarama.KafkaVersion
		fetch int16
	}{{sarama.V2_0_0_0, 4}, {sarama.V0_10_2_0, 2}, {sarama.V0_8_2_2, 1}} {
		if version.IsAtLeast(v.since) {
			return v.fetch
		}
	}
	return 0
}

// scrape returns the number of members by group, and the lags by group, topic and partition; -1 where the group has
// committed nothing of a partition, but something of the topic.
func (e exporter) scrape(t *testing.T) (members map[string]int, lags map[string]int64) {
	t.Helper()
	if err := e.client.RefreshMetadata(); err != nil {
		t.Fatal(err)
	}
	newest := newestOf(t, e.client)
	if _, ok := newest["__consumer_offsets"]; !ok {
		t.Error("the groups' topic is not shown")
	}
	members, lags = map[string]int{}, map[string]int64{}
	for _, b := range e.client.Brokers() {
		if err := b.Open(e.client.Config()); err != nil && err != sarama.ErrAlreadyConnected {
			t.Fatal(err)
		}
		groups, err := b.ListGroups(&sarama.ListGroupsRequest{})
		if err != nil || groups.Err != sarama.ErrNoError {
			t.Fatalf("groups: %+v, %v", groups, err)
		}
		described, err := b.DescribeGroups(&sarama.DescribeGroupsRequest{Groups: slices.Collect(maps.Keys(groups.Groups))})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range described.Groups {
			members[g.GroupId] = len(g.Members)
			e.lagsOf(t, b, g, newest, lags)
		}
		_ = b.Close() // until the next scrape
	}
	return members, lags
}

// newestOf asks every partition for its offsets, leader and replicas.
func newestOf(t *testing.T, client sarama.Client) map[string]map[int32]int64 {
	topics, err := client.Topics()
	if err != nil {
		t.Fatal(err)
	}
	newest := map[string]map[int32]int64{}
	for _, topic := range topics {
		newest[topic] = map[int32]int64{}
		partitions, err := client.Partitions(topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range partitions {
			leader, err := client.Leader(topic, p)
			if err != nil || leader.ID() != 1 {
				t.Errorf("leader of %s: %v, %v", topic, leader, err)
			}
			if newest[topic][p], err = client.GetOffset(topic, p, sarama.OffsetNewest); err != nil {
				t.Error(err)
			}
			if _, err := client.GetOffset(topic, p, sarama.OffsetOldest); err != nil {
				t.Error(err)
			}
			replicas, err := client.Replicas(topic, p)
			isr, err2 := client.InSyncReplicas(topic, p)
			if err != nil || err2 != nil || len(replicas) != 1 || len(isr) != 1 {
				t.Errorf("replicas of %s: %v, %v; in sync %v, %v", topic, replicas, err, isr, err2)
			}
		}
	}
	return newest
}

// lagsOf notes what one group is behind.
func (e exporter) lagsOf(t *testing.T, b *sarama.Broker, g *sarama.GroupDescription, newest map[string]map[int32]int64, lags map[string]int64) {
	t.Helper()
	req := sarama.OffsetFetchRequest{ConsumerGroup: g.GroupId, Version: e.offsetFetch()}
	if e.all {
		for topic, partitions := range newest {
			for p := range partitions {
				req.AddPartition(topic, p)
			}
		}
	} else {
		for _, m := range g.Members {
			assignment, err := m.GetMemberAssignment()
			if err != nil || assignment == nil {
				t.Fatalf("the assignment of %s: %v, %v", m.MemberId, assignment, err)
			}
			for topic, partitions := range assignment.Topics {
				for _, p := range partitions {
					req.AddPartition(topic, p)
				}
			}
		}
	}
	resp, err := b.FetchOffset(&req)
	if err != nil {
		t.Fatal(err)
	}
	for topic, partitions := range resp.Blocks {
		consumed := false
		for _, block := range partitions {
			consumed = consumed || block.Offset != -1
		}
		for p, block := range partitions {
			if block.Err != sarama.ErrNoError {
				t.Errorf("offset of %s/%d: %v", topic, p, block.Err)
			}
			switch at := fmt.Sprint(g.GroupId, " ", topic, " ", p); {
			case !consumed:
			case block.Offset == -1:
				lags[at] = -1
			default:
				lags[at] = newest[topic][p] - block.Offset
			}
		}
	}
}

// TestALagExporterThatReadsTheTopic reads __consumer_offsets byte by byte, as Burrow does: keys of version 0
// and 1 are offsets (values 0 to 3), of version 2 groups (values 0 to 3), others are passed over.
func TestALagExporterThatReadsTheTopic(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2"}})
	r.consumed("web_log")
	r.consumerGroup("new", "web_log") // whose records such a reader does not know

	config := sarama.NewConfig()
	config.Version = sarama.V2_0_0_0
	consumer, err := sarama.NewConsumer([]string{r.addr}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition("__consumer_offsets", 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer partition.Close()
	offsets, owners, unknown := map[string]int64{}, map[string]string{}, map[uint16]bool{}
	deadline := time.After(20 * time.Second)
	for offsets["app web_log 0"] == 0 || len(owners) == 0 || len(unknown) < 5 {
		select {
		case m := <-partition.Messages():
			readOffsetsMessage(t, m, offsets, owners, unknown)
		case <-deadline:
			t.Fatalf("in 20 s: offsets %v, owners %v, unknown kinds %v", offsets, owners, unknown)
		}
	}
	if offsets["app web_log 0"] != 3 || owners["app web_log 0"] == "" || owners["app web_log 1"] == "" {
		t.Errorf("offsets %v, owners %v", offsets, owners)
	}
}

// bytesReader takes a message apart the way such readers do; a message that is too short fails the test.
type bytesReader struct {
	t *testing.T
	b []byte
}

func (r *bytesReader) take(n int) []byte {
	r.t.Helper()
	if n < 0 || n > len(r.b) {
		r.t.Fatalf("%d bytes wanted of the %d that are left", n, len(r.b))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *bytesReader) u16() uint16  { return binary.BigEndian.Uint16(r.take(2)) }
func (r *bytesReader) i32() int32   { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *bytesReader) i64() int64   { return int64(binary.BigEndian.Uint64(r.take(8))) }
func (r *bytesReader) text() string { return string(r.take(max(0, int(int16(r.u16()))))) }

func readOffsetsMessage(t *testing.T, m *sarama.ConsumerMessage, offsets map[string]int64, owners map[string]string, unknown map[uint16]bool) {
	if len(m.Value) == 0 { // a deletion
		return
	}
	key := &bytesReader{t, m.Key}
	switch version := key.u16(); version {
	case 0, 1:
		at := fmt.Sprint(key.text(), " ", key.text(), " ", key.i32())
		value := &bytesReader{t, m.Value}
		v := value.u16()
		if v != 0 && v != 1 && v != 3 {
			t.Fatalf("an offset's value of version %d", v)
		}
		offsets[at] = value.i64()
		if v == 3 {
			value.i32() // the leader's epoch
		}
		value.text() // the member's own words
		if age := time.Since(time.UnixMilli(value.i64())); age < -time.Second || age > time.Minute {
			t.Errorf("an offset committed %s ago", age)
		}
	case 2:
		readGroup(t, key.text(), &bytesReader{t, m.Value}, owners)
	default:
		unknown[version] = true
	}
}

func readGroup(t *testing.T, id string, value *bytesReader, owners map[string]string) {
	if v := value.u16(); v > 3 {
		t.Errorf("a group's value of version %d", v)
	}
	protocolType, _, _, _, _ := value.text(), value.i32(), value.text(), value.text(), value.i64()
	if protocolType != "consumer" {
		t.Errorf("a group of %q", protocolType)
	}
	for range value.i32() {
		member, _, client, host := value.text(), value.text(), value.text(), value.text()
		_, _ = value.i32(), value.i32()
		value.take(int(value.i32())) // its subscription
		assignment := &bytesReader{t, value.take(int(value.i32()))}
		if v := int16(assignment.u16()); v < 0 {
			t.Errorf("an assignment of version %d", v)
		}
		for range assignment.i32() {
			topic := assignment.text()
			for range assignment.i32() {
				owners[fmt.Sprint(id, " ", topic, " ", assignment.i32())] = member + " " + client + " " + host
			}
		}
		assignment.take(max(0, int(assignment.i32()))) // the user's data
	}
}
