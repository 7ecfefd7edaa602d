package broker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createTopic makes a topic of one partition with settings of its own, names and values in turn.
func createTopic(t *testing.T, conn *kafka.Conn, name string, settings ...string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	for i := 0; i < len(settings); i += 2 {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: settings[i], Value: &settings[i+1]})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 10_000, []kmsg.CreateTopicsRequestTopic{topic}
	if got := call[*kmsg.CreateTopicsResponse](t, conn, 4, req).Topics[0]; got.ErrorCode != 0 {
		t.Fatalf("creating %s: code %d", name, got.ErrorCode)
	}
}

// timedBatch is a batch of one record a time, at that time; the keys are as given.
func timedBatch(t *testing.T, codec record.Codec, times []int64, keys ...string) []byte {
	t.Helper()
	b, latest := record.NewBuilder(100), int64(-1)
	for i, ms := range times {
		key := []byte(nil)
		if i < len(keys) {
			key = []byte(keys[i])
		}
		b.Append(ms-times[0], key, []byte("value"), 0, nil)
		latest = max(latest, ms)
	}
	batch, err := b.Seal(nil, record.NoProducer, codec, times[0], latest)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// noise is so many bytes that no codec makes smaller.
func noise(n int) []byte {
	b, r := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestMaxMessageBytesIsTheLimitInEveryVersionAndCodec(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	createTopic(t, conn, "big", "max.message.bytes", "2000000")
	for size, want := range map[int]int16{1_900_000: 0, 2_100_000: 10} {
		value := noise(size)
		for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.Lz4, record.Zstd} {
			b := record.NewBuilder(size)
			b.Append(0, nil, value, 0, nil)
			batch, err := b.Seal(nil, record.NoProducer, codec, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got := put(t, conn, 8, "big", 0, -1, batch); got.ErrorCode != want {
				t.Errorf("%d bytes, %s: code %d, want %d", size, codec, got.ErrorCode, want)
			}
			if codec == record.Zstd {
				continue
			}
			set := oldMessage(0, 1, 0, 1, nil, value)
			if codec != record.None {
				set = oldMessage(0, 1, int8(codec), 1, nil, pack(t, codec, set))
			}
			if got := put(t, conn, 2, "big", 0, -1, set); got.ErrorCode != want {
				t.Errorf("%d bytes, %s in format 1: code %d, want %d", size, codec, got.ErrorCode, want)
			}
		}
	}
}

func TestTopicsPackInTheirOwnCodec(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	for i, name := range []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"} {
		createTopic(t, conn, name, "compression.type", name, "max.message.bytes", "3000")
		for codec := record.None; codec <= record.Zstd; codec++ {
			if got := put(t, conn, 7, name, 0, -1, seal(t, 3, record.NoProducer, codec)); got.ErrorCode != 0 {
				t.Fatalf("%s into %s: code %d", codec, name, got.ErrorCode)
			}
		}
		if got := put(t, conn, 2, name, 0, -1, oldMessage(0, 1, 0, 1, nil, []byte("old"))); got.ErrorCode != 0 {
			t.Fatalf("format 1 into %s: code %d", name, got.ErrorCode)
		}
		stored := get(t, conn, 11, fetchRequest(name, 0, 0, 1, 0)).RecordBatches
		for n := 0; len(stored) > 0; n++ {
			h, err := record.ParseHeader(stored)
			if err != nil || !record.CheckCRC(stored) || h.Codec() != record.Codec(i) || int64(h.BaseOffset) != int64(3*n) {
				t.Errorf("%s: batch %d has the header %+v, %v", name, n, h, err)
			}
			stored = stored[h.Size():]
		}
		b := record.NewBuilder(5000)
		b.Append(0, nil, make([]byte, 4000), 0, nil)
		batch, err := b.Seal(nil, record.NoProducer, record.Gzip, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := int16(0)
		if name == "uncompressed" {
			want = 10 // what counts is what would be stored
		}
		if got := put(t, conn, 7, name, 0, -1, batch); got.ErrorCode != want {
			t.Errorf("4000 zeros in gzip into %s: code %d, want %d", name, got.ErrorCode, want)
		}
	}
}

func TestTimesThatATopicDoesNotTake(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	now := time.Now().UnixMilli()
	createTopic(t, conn, "bounded", "message.timestamp.before.max.ms", "60000", "message.timestamp.after.max.ms", "120000")
	createTopic(t, conn, "free")
	createTopic(t, conn, "broker", "message.timestamp.type", "LogAppendTime", "message.timestamp.before.max.ms", "1")
	marked := func(times ...int64) []byte {
		return edit(timedBatch(t, record.None, times), func(b []byte) { b[22] |= 8 })
	}
	for _, c := range []struct {
		name, topic string
		records     []byte
		code        int16
		wrong       []int32
		time        int64 // what the header says then: -1 none, 0 the broker's
	}{
		{"now", "bounded", timedBatch(t, record.None, []int64{now, now - 50_000, now + 100_000}), 0, nil, now + 100_000},
		{"no time", "bounded", timedBatch(t, record.None, []int64{-1}), 0, nil, -1},
		{"too early", "bounded", timedBatch(t, record.Gzip, []int64{now, now - 70_000, now}), 32, []int32{1}, 0},
		{"too late", "bounded", timedBatch(t, record.None, []int64{now + 130_000, now}), 32, []int32{0}, 0},
		{"long ago", "free", timedBatch(t, record.None, []int64{5}), 0, nil, 5},
		{"marked as timed by a broker", "free", marked(now, now+7), 0, nil, now + 7},
		{"marked, without a time", "free", marked(-1), 32, []int32{0}, 0},
		{"marked, for a broker that does it", "broker", marked(now, now), 32, []int32{0, 1}, 0},
		{"for a broker that does it", "broker", timedBatch(t, record.Zstd, []int64{5, 6}), 0, nil, 0},
	} {
		got := put(t, conn, 8, c.topic, 0, -1, c.records)
		var wrong []int32
		for _, e := range got.ErrorRecords {
			wrong = append(wrong, e.RelativeOffset)
		}
		if got.ErrorCode != c.code || fmt.Sprint(wrong) != fmt.Sprint(c.wrong) {
			t.Errorf("%s: code %d, wrong records %v; want %d, %v", c.name, got.ErrorCode, wrong, c.code, c.wrong)
		}
		if c.code != 0 || got.ErrorCode != 0 {
			if got.LogStartOffset != 0 || got.ErrorMessage == nil {
				t.Errorf("%s: the log starts at %d, message %v; want 0 and one", c.name, got.LogStartOffset, got.ErrorMessage)
			}
			continue
		}
		h, err := record.ParseHeader(get(t, conn, 11, fetchRequest(c.topic, 0, got.BaseOffset, 1, 0)).RecordBatches)
		byBroker := c.topic == "broker"
		if err != nil || h.LogAppendTime() != byBroker || byBroker && (h.MaxTimestamp < now || got.LogAppendTime != h.MaxTimestamp) || !byBroker && (h.MaxTimestamp != c.time || got.LogAppendTime != -1) {
			t.Errorf("%s: stored with %+v, answered time %d; %v", c.name, h, got.LogAppendTime, err)
		}
	}
	old := oldMessage(0, 1, 0, 5, nil, nil)
	if got := put(t, conn, 2, "bounded", 0, -1, old); got.ErrorCode != 32 {
		t.Errorf("format 1, long ago: code %d, want 32", got.ErrorCode)
	}
	if got := put(t, conn, 2, "broker", 0, -1, old); got.ErrorCode != 0 || got.LogAppendTime < now {
		t.Errorf("format 1, for a broker that times: code %d, time %d", got.ErrorCode, got.LogAppendTime)
	}
}

func TestCompactedTopicsNeedKeys(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	createTopic(t, conn, "state", "cleanup.policy", "compact")
	times := []int64{1, 1, 1}
	if got := put(t, conn, 8, "state", 0, -1, timedBatch(t, record.Lz4, times, "a", "b", "c")); got.ErrorCode != 0 {
		t.Errorf("with keys: code %d", got.ErrorCode)
	}
	got := put(t, conn, 8, "state", 0, -1, timedBatch(t, record.Lz4, times, "a"))
	if got.ErrorCode != 87 || len(got.ErrorRecords) != 2 || got.ErrorRecords[0].RelativeOffset != 1 || got.ErrorRecords[1].RelativeOffset != 2 {
		t.Errorf("two records without keys: code %d, %+v", got.ErrorCode, got.ErrorRecords)
	}
	if got := put(t, conn, 2, "state", 0, -1, oldMessage(0, 1, 0, 1, nil, []byte("v"))); got.ErrorCode != 87 {
		t.Errorf("format 1 without a key: code %d, want 87", got.ErrorCode)
	}
}

func TestTopicsThatOldFetchesCannotRead(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	createTopic(t, conn, "whole", "message.downconversion.enable", "false")
	createTopic(t, conn, "zstd", "compression.type", "zstd")
	createTopic(t, conn, "mixed")
	for _, topic := range []string{"whole", "zstd", "mixed"} {
		put(t, conn, 7, topic, 0, -1, seal(t, 3, record.NoProducer, record.None))
		put(t, conn, 7, topic, 0, -1, seal(t, 3, record.NoProducer, record.Zstd))
	}
	for _, c := range []struct {
		topic   string
		version int16
		offset  int64
		code    int16
		some    bool
	}{
		{"whole", 1, 0, 35, false}, {"whole", 3, 6, 35, false}, {"whole", 4, 0, 0, true},
		{"zstd", 2, 6, 76, false}, {"zstd", 4, 0, 76, false}, {"zstd", 9, 6, 76, false}, {"zstd", 10, 0, 0, true},
		{"mixed", 2, 0, 0, true}, {"mixed", 2, 3, 76, false}, {"mixed", 0, 4, 76, false}, {"mixed", 4, 3, 0, true},
	} {
		p := call[*kmsg.FetchResponse](t, conn, c.version, fetchRequest(c.topic, 0, c.offset, 1, 0)).Topics[0].Partitions[0]
		if p.ErrorCode != c.code || len(p.RecordBatches) > 0 != c.some {
			t.Errorf("%s in version %d from %d: code %d, %d bytes; want code %d, records %v", c.topic, c.version, c.offset, p.ErrorCode, len(p.RecordBatches), c.code, c.some)
		}
	}
}

// More copies than there are replicas are never asked for, as in Kafka.
func TestAcksOfMoreCopiesThanThereAre(t *testing.T) {
	conn := start(t, broker.Config{}).dial()
	createTopic(t, conn, "twice", "min.insync.replicas", "2")
	if got := put(t, conn, 8, "twice", 0, -1, seal(t, 1, record.NoProducer, record.None)); got.ErrorCode != 0 {
		t.Errorf("code %d, want none", got.ErrorCode)
	}
}
