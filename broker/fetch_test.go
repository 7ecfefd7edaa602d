package broker_test

import (
	"bufio"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchRequest asks for one partition from an offset.
func fetchRequest(topic string, partition int32, offset int64, minBytes, maxWait int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxWaitMillis, req.MaxBytes, req.SessionEpoch = minBytes, maxWait, 1<<20, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	req.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return req
}

// get fetches one partition and returns its part of the answer.
func get(t *testing.T, conn *kafka.Conn, version int16, req *kmsg.FetchRequest) kmsg.FetchResponseTopicPartition {
	t.Helper()
	resp := call[*kmsg.FetchResponse](t, conn, version, req)
	if resp.ErrorCode != 0 || resp.SessionID != 0 {
		t.Fatalf("the whole answer has code %d and session %d", resp.ErrorCode, resp.SessionID)
	}
	return resp.Topics[0].Partitions[0]
}

func TestFetchEdges(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	first, second := seal(t, 5, record.NoProducer, record.None), seal(t, 700, record.NoProducer, record.None)
	put(t, conn, 7, "web_log", 0, -1, first)
	put(t, conn, 7, "web_log", 0, -1, second)
	for version := int16(4); version <= 12; version++ {
		p := get(t, conn, version, fetchRequest("web_log", 0, 0, 1, 0))
		if p.ErrorCode != 0 || len(p.RecordBatches) != len(first)+len(second) || p.HighWatermark != 705 || p.LastStableOffset != 705 {
			t.Errorf("version %d from the beginning: code %d, %d bytes, watermark %d", version, p.ErrorCode, len(p.RecordBatches), p.HighWatermark)
		}
	}
	if p := get(t, conn, 11, fetchRequest("web_log", 0, 3, 1, 0)); len(p.RecordBatches) != len(first)+len(second) {
		t.Errorf("from the middle of a batch: %d bytes, want that batch whole", len(p.RecordBatches))
	}
	small := fetchRequest("web_log", 0, 5, 1, 0)
	small.Topics[0].Partitions[0].PartitionMaxBytes = 10
	if p := get(t, conn, 11, small); len(p.RecordBatches) != len(second) {
		t.Errorf("10 bytes of a batch of %d: %d bytes, want it whole (KIP-74)", len(second), len(p.RecordBatches))
	}
	if p := get(t, conn, 11, fetchRequest("web_log", 0, 705, 1, 0)); p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
		t.Errorf("at the end: code %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	for _, offset := range []int64{-1, 706} {
		if p := get(t, conn, 11, fetchRequest("web_log", 0, offset, 1, 30_000)); p.ErrorCode != 1 || p.HighWatermark != -1 {
			t.Errorf("offset %d: code %d, watermark %d, want 1 and -1", offset, p.ErrorCode, p.HighWatermark)
		}
	}
	if p := get(t, conn, 11, fetchRequest("nothing", 0, 0, 1, 30_000)); p.ErrorCode != 3 {
		t.Errorf("no such topic: code %d, want 3 at once", p.ErrorCode)
	}
	for epoch, want := range map[int32]int16{0: 0, 5: 75} {
		req := fetchRequest("web_log", 0, 0, 1, 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
		if p := get(t, conn, 11, req); p.ErrorCode != want {
			t.Errorf("leader epoch %d: code %d, want %d", epoch, p.ErrorCode, want)
		}
	}
	session := fetchRequest("web_log", 0, 0, 1, 0)
	session.SessionID, session.SessionEpoch = 77, 5
	if resp := call[*kmsg.FetchResponse](t, conn, 11, session); resp.ErrorCode != 70 {
		t.Errorf("somebody's session: code %d, want 70", resp.ErrorCode)
	}
}

func TestOnlyTheFirstBatchMayExceedTheLimits(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:3"}})
	conn := r.dial()
	batch := seal(t, 100, record.NoProducer, record.None)
	for i := range int32(3) {
		put(t, conn, 7, "web_log", i, -1, batch)
	}
	req := fetchRequest("web_log", 0, 0, 1, 0)
	for i := range int32(2) {
		p := req.Topics[0].Partitions[0]
		p.Partition = i + 1
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	req.MaxBytes = int32(len(batch)) + 10
	resp := call[*kmsg.FetchResponse](t, conn, 11, req)
	for i, p := range resp.Topics[0].Partitions {
		if want := []int{len(batch), 0, 0}[i]; len(p.RecordBatches) != want || p.HighWatermark != 100 {
			t.Errorf("partition %d: %d bytes, want %d; watermark %d", i, len(p.RecordBatches), want, p.HighWatermark)
		}
	}
}

func TestTopicIDs(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	put(t, conn, 7, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None))
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("web_log")}}
	id := call[*kmsg.MetadataResponse](t, conn, 12, meta).Topics[0].TopicID
	for version := int16(13); version <= 16; version++ {
		req := fetchRequest("", 0, 0, 1, 0)
		req.Topics[0].TopicID = id
		if p := get(t, conn, version, req); p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			t.Errorf("version %d: code %d, %d bytes", version, p.ErrorCode, len(p.RecordBatches))
		}
		req.Topics[0].TopicID = [16]byte{9}
		if p := get(t, conn, version, req); p.ErrorCode != 100 {
			t.Errorf("version %d, an id that nobody has: code %d, want 100", version, p.ErrorCode)
		}
	}
	byID := kmsg.NewPtrMetadataRequest()
	byID.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}, {TopicID: [16]byte{9}}}
	topics := call[*kmsg.MetadataResponse](t, conn, 12, byID).Topics
	if topics[0].Topic == nil || *topics[0].Topic != "web_log" || topics[1].ErrorCode != 100 {
		t.Errorf("Metadata by id answers %+v", topics)
	}
}

func TestFetchWaitsForRecords(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2"}})
	batch := seal(t, 1, record.NoProducer, record.None)
	answered := make(chan kmsg.FetchResponseTopicPartition, 1)
	ask := func(minBytes, maxWait int32) {
		conn := r.dial()
		go func() { answered <- get(t, conn, 11, fetchRequest("web_log", 1, 0, minBytes, maxWait)) }()
	}
	began := time.Now()
	ask(1, 100)
	if p := <-answered; len(p.RecordBatches) != 0 || time.Since(began) < 100*time.Millisecond {
		t.Errorf("nothing came: %d bytes after %s, want none after 100 ms", len(p.RecordBatches), time.Since(began))
	}
	conn := r.dial()
	ask(int32(len(batch))+1, 30_000) // two batches
	put(t, conn, 7, "web_log", 0, -1, batch)
	put(t, conn, 7, "web_log", 1, -1, batch)
	select {
	case p := <-answered:
		t.Fatalf("answered %d bytes, before there are %d", len(p.RecordBatches), len(batch)+1)
	case <-time.After(50 * time.Millisecond):
	}
	put(t, conn, 7, "web_log", 1, -1, batch)
	if p := <-answered; len(p.RecordBatches) != 2*len(batch) {
		t.Errorf("%d bytes, want two batches", len(p.RecordBatches))
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestDeletionAnswersWaitingFetches(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	put(t, r.dial(), 7, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None))
	conn := r.raw()
	send(t, conn, 11, fetchRequest("web_log", 0, 0, 1, 15_000), fetchRequest("web_log", 0, 1, 1, 15_000))
	in := bufio.NewReader(conn)
	if _, err := readReply(in, nil); err != nil { // now the second one waits
		t.Fatal(err)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{"web_log"}
	if code := call[*kmsg.DeleteTopicsResponse](t, r.dial(), 3, del).Topics[0].ErrorCode; code != 0 {
		t.Fatalf("deleting: code %d", code)
	}
	b, err := readReply(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp := kmsg.NewPtrFetchResponse()
	resp.SetVersion(11)
	if err := resp.ReadFrom(b[4:]); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 3 {
		t.Errorf("answered %+v, %v; want code 3", resp, err)
	}
}

func TestDrainAnswersWaitingFetches(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.raw()
	send(t, conn, 11, fetchRequest("web_log", 0, 0, 1, 15_000), fetchRequest("web_log", 0, 0, 1, 15_000))
	send(t, r.raw(), 7, produceRequest("web_log", 0, 0, seal(t, 1, record.NoProducer, record.None)))
	in := bufio.NewReader(conn)
	if _, err := readReply(in, nil); err != nil { // so both fetches have been read
		t.Fatal(err)
	}
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the drain took %s", took)
	}
	if _, err := readReply(in, nil); err != nil {
		t.Errorf("the second fetch: %v, want an answer", err)
	}
}

func TestListOffsets(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2"}})
	conn := r.dial()
	for i := range int64(5) {
		b := seal(t, 10, record.NoProducer, record.None)
		record.SetTimes(b, 1000*(i+1), 1000*(i+1))
		put(t, conn, 7, "web_log", 0, 1, b)
	}
	ask := func(version int16, partition int32, ms int64) kmsg.ListOffsetsResponseTopicPartition {
		req := kmsg.NewPtrListOffsetsRequest()
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = partition, ms
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "web_log", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		return call[*kmsg.ListOffsetsResponse](t, conn, version, req).Topics[0].Partitions[0]
	}
	for _, c := range []struct {
		version       int16
		ms            int64
		offset, stamp int64
	}{
		{1, -1, 50, -1}, {10, -1, 50, -1}, {5, -2, 0, -1}, {7, -3, 40, 5000}, {8, -4, 0, -1}, {9, -5, -1, -1},
		{4, 0, 0, 1000}, {4, 1001, 10, 2000}, {4, 3000, 20, 3000}, {4, 5001, -1, -1},
	} {
		if got := ask(c.version, 0, c.ms); got.ErrorCode != 0 || got.Offset != c.offset || got.Timestamp != c.stamp {
			t.Errorf("version %d, time %d: code %d, offset %d, time %d; want offset %d, time %d", c.version, c.ms, got.ErrorCode, got.Offset, got.Timestamp, c.offset, c.stamp)
		}
	}
	if got := ask(0, 0, -1); len(got.OldStyleOffsets) != 1 || got.OldStyleOffsets[0] != 50 {
		t.Errorf("version 0: %v, want [50]", got.OldStyleOffsets)
	}
	if got := ask(7, 1, -3); got.Offset != -1 {
		t.Errorf("the latest record of an empty partition has offset %d", got.Offset)
	}
	if got := ask(7, 2, -1); got.ErrorCode != 3 {
		t.Errorf("partition 2 of 2: code %d, want 3", got.ErrorCode)
	}
	epoch := kmsg.NewPtrOffsetForLeaderEpochRequest()
	epoch.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "web_log", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
	if got := call[*kmsg.OffsetForLeaderEpochResponse](t, conn, 4, epoch).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.EndOffset != 50 {
		t.Errorf("epoch 0 ends at %d (code %d), want 50", got.EndOffset, got.ErrorCode)
	}
}
