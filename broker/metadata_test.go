package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askMetadata asks for topics by name; nil asks for all.
func askMetadata(t *testing.T, conn *kafka.Conn, version int16, create bool, names ...string) *kmsg.MetadataResponse {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = create
	if names != nil {
		req.Topics = []kmsg.MetadataRequestTopic{}
	}
	for _, name := range names {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	return call[*kmsg.MetadataResponse](t, conn, version, req)
}

func TestMetadataInEveryVersion(t *testing.T) {
	conn := start(t, broker.Config{CreateTopics: []string{"web_log:2"}}).dial()
	names := []string{"web_log", "web_log", "new", "a/b", "..", strings.Repeat("x", 250), "__consumer_offsets", "__transaction_state"}
	for version := int16(0); version <= 13; version++ {
		all := askMetadata(t, conn, version, false)
		if len(all.Topics) < 3 || len(all.Brokers) != 1 {
			t.Errorf("version %d: %d topics of all, %d brokers", version, len(all.Topics), len(all.Brokers))
		}
		if none := askMetadata(t, conn, version, false, []string{}...); version > 0 && len(none.Topics) != 0 {
			t.Errorf("version %d: %d topics of none", version, len(none.Topics))
		}
		names[2] = fmt.Sprintf("new-%d", version)
		got := askMetadata(t, conn, version, version == 13, names...)
		want := []int16{0, 0, 17, 17, 17, 0, 0}
		if version >= 4 && version < 13 {
			want[1] = 3
		}
		if len(got.Topics) != len(want) {
			t.Fatalf("version %d: %d answers for %d names, one of them twice", version, len(got.Topics), len(names))
		}
		for i, topic := range got.Topics {
			internal := version >= 1 && strings.HasPrefix(*topic.Topic, "__")
			if topic.ErrorCode != want[i] || topic.IsInternal != internal || (topic.ErrorCode == 0) != (len(topic.Partitions) > 0) {
				t.Errorf("version %d, %s: code %d, internal %v, %d partitions; want %d, %v", version, *topic.Topic, topic.ErrorCode, topic.IsInternal, len(topic.Partitions), want[i], internal)
			}
			if version >= 10 && topic.ErrorCode == 0 && topic.TopicID == [16]byte{} {
				t.Errorf("version %d, %s: no id", version, *topic.Topic)
			}
		}
	}
}

func TestMetadataSaysWhatAClientMayDo(t *testing.T) {
	conn := start(t, broker.Config{CreateTopics: []string{"web_log:1"}}).dial()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("web_log")}}
	const nobodyAsked = -2147483648
	for version := int16(8); version <= 13; version++ {
		for _, asked := range []bool{false, true} {
			req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = asked, asked
			got := call[*kmsg.MetadataResponse](t, conn, version, req)
			topic, cluster := int32(nobodyAsked), int32(nobodyAsked)
			if asked {
				topic = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
				if cluster = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12; version > 10 {
					cluster = nobodyAsked // no field for it
				}
			}
			if got.Topics[0].AuthorizedOperations != topic || got.AuthorizedOperations != cluster {
				t.Errorf("version %d, asked %v: %b and %b, want %b and %b", version, asked, got.Topics[0].AuthorizedOperations, got.AuthorizedOperations, topic, cluster)
			}
		}
	}
}

func TestMetadataByID(t *testing.T) {
	conn := start(t, broker.Config{CreateTopics: []string{"web_log:1"}}).dial()
	id := askMetadata(t, conn, 12, false, "web_log").Topics[0].TopicID
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}, {TopicID: id, Topic: kmsg.StringPtr("")}, {TopicID: [16]byte{9}}}
	for version := int16(10); version <= 13; version++ {
		got := call[*kmsg.MetadataResponse](t, conn, version, req).Topics
		if version < 12 {
			if len(got) != 3 || got[0].ErrorCode != 42 {
				t.Errorf("version %d: %+v, want code 42", version, got)
			}
			continue
		}
		if len(got) != 2 || got[0].ErrorCode != 0 || got[0].Topic == nil || *got[0].Topic != "web_log" || got[1].ErrorCode != 100 || got[1].TopicID[0] != 9 || got[1].Topic != nil {
			t.Errorf("version %d: %+v", version, got)
		}
	}
}

func TestMetadataMakesManyTopicsBitByBit(t *testing.T) {
	r := start(t, broker.Config{})
	conn := r.dial()
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("t%d", i)
	}
	began := time.Now()
	codes := map[int16]int{}
	for _, topic := range askMetadata(t, conn, 9, true, names...).Topics {
		codes[topic.ErrorCode]++
	}
	if codes[0] != 100 || codes[5] != len(names)-100 {
		t.Errorf("codes %v, want 100 topics and LEADER_NOT_AVAILABLE for the rest", codes)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := askMetadata(t, conn, 9, true, "t100").Topics[0]; got.ErrorCode != 0 {
		t.Errorf("asked again for one: code %d", got.ErrorCode)
	}
	off := start(t, broker.Config{Settings: map[string]string{"auto.create.topics.enable": "false"}}).dial()
	if got := askMetadata(t, off, 3, true, "new").Topics[0]; got.ErrorCode != 3 {
		t.Errorf("with auto.create.topics.enable=false: code %d, want 3", got.ErrorCode)
	}
}

func TestApiVersionsWantsAProperClient(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	for _, c := range []struct {
		name, version string
		code          int16
	}{
		{"sarama", "1.61.1", 0}, {"a", "b", 0}, {"apache-kafka-java", "4.3.1-rc.0", 0},
		{"", "1", 42}, {"sarama", "", 42}, {"-x", "1", 42}, {"x.", "1", 42}, {"a b", "1", 42}, {"a", "1_2", 42}, {"a\n", "1", 42},
	} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = c.name, c.version
		for version := int16(0); version <= 4; version++ {
			want := c.code
			if version < 3 {
				want = 0
			}
			got := call[*kmsg.ApiVersionsResponse](t, conn, version, req)
			if got.ErrorCode != want || (want == 0) != (len(got.ApiKeys) > 0) {
				t.Errorf("%q %q in version %d: code %d, %d keys, want %d", c.name, c.version, version, got.ErrorCode, len(got.ApiKeys), want)
			}
		}
	}
}

func TestListOffsetsKnowsTheNamesOfItsVersion(t *testing.T) {
	conn := start(t, broker.Config{CreateTopics: []string{"web_log:2"}}).dial()
	put(t, conn, 7, "web_log", 0, -1, seal(t, 10, record.NoProducer, record.None))
	ask := func(version int16, ms int64, partitions ...int32) []kmsg.ListOffsetsResponseTopicPartition {
		req := kmsg.NewPtrListOffsetsRequest()
		topic := kmsg.ListOffsetsRequestTopic{Topic: "web_log"}
		for _, i := range partitions {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp, p.MaxNumOffsets = i, ms, 10
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
		return call[*kmsg.ListOffsetsResponse](t, conn, version, req).Topics[0].Partitions
	}
	since := map[int64]int16{-1: 0, -2: 0, -3: 7, -4: 8, -5: 9, -6: 99, -9: 99, 5: 0}
	for version := int16(0); version <= 10; version++ {
		for ms, from := range since {
			want := int16(0)
			if version < from {
				want = 35
			}
			if got := ask(version, ms, 0)[0]; got.ErrorCode != want {
				t.Errorf("version %d, time %d: code %d, want %d", version, ms, got.ErrorCode, want)
			}
		}
		if got := ask(version, -1, 0, 1, 0); len(got) != 2 || got[0].ErrorCode != 42 || got[1].ErrorCode != 0 {
			t.Errorf("version %d, a partition twice: %+v, want code 42 for it, once", version, got)
		}
	}
	future := time.Now().Add(time.Hour).UnixMilli()
	for _, c := range []struct {
		partition int32
		ms        int64
		want      string
	}{
		{0, -1, "[10 0]"}, {0, -2, "[0]"}, {0, future, "[10 0]"}, {0, 5, "[]"}, {1, -1, "[0]"}, {1, -2, "[0]"}, {1, 5, "[]"}, {1, future, "[0]"},
	} {
		if got := fmt.Sprint(ask(0, c.ms, c.partition)[0].OldStyleOffsets); got != c.want {
			t.Errorf("version 0, partition %d, time %d: %s, want %s", c.partition, c.ms, got, c.want)
		}
	}
}

func TestLeaderEpochsThatHaveNotComeHaveNoEnd(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		r := start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:1"}})
		conn := r.dial()
		if i != 1 { // epoch 1 writes nothing
			put(t, conn, 7, "web_log", 0, -1, seal(t, 4, record.NoProducer, record.None))
		}
		if i == 2 {
			for asked, want := range map[int32]string{-1: "-1 -1", 0: "0 4", 1: "0 4", 2: "2 8", 3: "-1 -1", 99: "-1 -1"} {
				req := kmsg.NewPtrOffsetForLeaderEpochRequest()
				req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "web_log", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1, LeaderEpoch: asked}}}}
				got := call[*kmsg.OffsetForLeaderEpochResponse](t, conn, 3, req).Topics[0].Partitions[0]
				if s := fmt.Sprint(got.LeaderEpoch, got.EndOffset); got.ErrorCode != 0 || s != want {
					t.Errorf("epoch %d: code %d, %s, want %s", asked, got.ErrorCode, s, want)
				}
			}
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
