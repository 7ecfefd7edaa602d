package broker_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// seal makes a batch of so many small records.
func seal(t *testing.T, count int, p record.Producer, codec record.Codec) []byte {
	t.Helper()
	b := record.NewBuilder(1024)
	for range count {
		b.Append(0, []byte("key"), []byte("value"), 0, nil)
	}
	batch, err := b.Seal(nil, p, codec, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// produceRequest asks to append records to one partition.
func produceRequest(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 10_000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: records}}}}
	return req
}

// put appends one batch and returns the answer for its partition.
func put(t *testing.T, conn *kafka.Conn, version int16, topic string, partition int32, acks int16, records []byte) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	return call[*kmsg.ProduceResponse](t, conn, version, produceRequest(topic, partition, acks, records)).Topics[0].Partitions[0]
}

// edit changes a batch and makes its checksum right again.
func edit(batch []byte, change func(b []byte)) []byte {
	b := append([]byte(nil), batch...)
	change(b)
	p := record.NoProducer
	if h, err := record.ParseHeader(b); err == nil {
		p = record.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch, Sequence: h.BaseSequence}
	}
	record.SetProducer(b, p) // as a side effect, the checksum
	return b
}

func TestBadBatchesAreRefusedWithKafkasCodes(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	good := seal(t, 3, record.NoProducer, record.None)
	packed := seal(t, 3, record.NoProducer, record.Lz4)
	flip := func(b []byte, at int) []byte {
		b = append([]byte(nil), b...)
		b[at] ^= 1
		return b
	}
	put32 := func(at int, v uint32) []byte {
		return edit(good, func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) })
	}
	for _, c := range []struct {
		name    string
		topic   string
		acks    int16
		records []byte
		want    int16
	}{
		{"a sound batch", "web_log", -1, good, 0},
		{"a sound packed batch", "web_log", 1, packed, 0},
		{"a flipped value", "web_log", -1, flip(good, len(good)-3), 2},
		{"a flipped checksum", "web_log", -1, flip(good, 18), 2},
		{"format 1", "web_log", -1, edit(good, func(b []byte) { b[16] = 1 }), 87},
		{"format 3", "web_log", -1, edit(good, func(b []byte) { b[16] = 3 }), 2},
		{"three bytes", "web_log", -1, good[:3], 87},
		{"a length below a header's", "web_log", -1, func() []byte { b := append([]byte(nil), good[:50]...); b[11] = 38; return b }(), 2},
		{"a base offset", "web_log", -1, edit(good, func(b []byte) { b[7] = 5 }), 87},
		{"null", "web_log", -1, nil, 87},
		{"a cut batch", "web_log", -1, good[:len(good)-1], 87},
		{"two batches", "web_log", -1, append(append([]byte(nil), good...), good...), 87},
		{"a count that lies", "web_log", -1, put32(57, 4), 87},
		{"an offset delta that lies", "web_log", -1, put32(23, 9), 87},
		{"both lie alike", "web_log", -1, edit(good, func(b []byte) { binary.BigEndian.PutUint32(b[57:], 4); binary.BigEndian.PutUint32(b[23:], 3) }), 87},
		{"a packed batch that lies", "web_log", -1, edit(packed, func(b []byte) { binary.BigEndian.PutUint32(b[57:], 2); binary.BigEndian.PutUint32(b[23:], 1) }), 87},
		{"a control batch", "web_log", -1, edit(good, func(b []byte) { b[22] |= 0x20 }), 87},
		{"a transactional batch without an id", "web_log", -1, edit(good, func(b []byte) { b[22] |= 0x10 }), 53},
		{"an unknown codec", "web_log", -1, edit(good, func(b []byte) { b[22] |= 7 }), 76},
		{"acks 2", "web_log", 2, good, 21},
		{"no such topic", "nothing", -1, good, 3},
		{"the broker's own topic", "__consumer_offsets", -1, good, 17},
	} {
		if got := put(t, conn, 8, c.topic, 0, c.acks, c.records); got.ErrorCode != c.want || (c.want != 0) != (got.BaseOffset < 0) {
			t.Errorf("%s: code %d at offset %d, want %d", c.name, got.ErrorCode, got.BaseOffset, c.want)
		}
	}
	if got := put(t, conn, 8, "web_log", 7, -1, good); got.ErrorCode != 3 {
		t.Errorf("partition 7 of 1: code %d, want 3", got.ErrorCode)
	}
	if got := put(t, conn, 6, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.Zstd)); got.ErrorCode != 76 {
		t.Errorf("zstd before version 7: code %d, want 76", got.ErrorCode)
	}
	if n := len(r.consume("web_log", 6)); n != 6 {
		t.Errorf("%d records are stored, want the 6 of the sound batches", n)
	}
}

func TestLargestBatchIsTheTopics(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Settings: map[string]string{"message.max.bytes": "200"}})
	conn := r.dial()
	if got := put(t, conn, 8, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None)); got.ErrorCode != 0 {
		t.Errorf("a small batch: code %d", got.ErrorCode)
	}
	if got := put(t, conn, 8, "web_log", 0, -1, seal(t, 50, record.NoProducer, record.None)); got.ErrorCode != 10 {
		t.Errorf("a batch over message.max.bytes: code %d, want 10", got.ErrorCode)
	}
}

func TestSequencesAreChecked(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	step := func(name string, epoch int16, sequence int32, count int, wantCode int16, wantBase int64) {
		t.Helper()
		got := put(t, conn, 9, "web_log", 0, -1, seal(t, count, record.Producer{ID: 7, Epoch: epoch, Sequence: sequence}, record.None))
		if got.ErrorCode != wantCode || wantCode == 0 && got.BaseOffset != wantBase {
			t.Errorf("%s: code %d at %d, want %d at %d", name, got.ErrorCode, got.BaseOffset, wantCode, wantBase)
		}
	}
	step("a gap in a fresh log", 0, 5, 1, 45, -1)
	step("first", 0, 0, 10, 0, 0)
	step("second", 0, 10, 10, 0, 10)
	step("second again", 0, 10, 10, 0, 10)
	step("first again", 0, 0, 10, 0, 0)
	step("a gap", 0, 30, 10, 45, -1)
	step("third", 0, 20, 10, 0, 20)
	step("a new epoch", 1, 0, 5, 0, 30)
	step("the old epoch", 0, 30, 10, 47, -1)
	described := kmsg.NewPtrDescribeProducersRequest()
	described.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "web_log", Partitions: []int32{0, 1}}}
	parts := call[*kmsg.DescribeProducersResponse](t, conn, 0, described).Topics[0].Partitions
	if p := parts[0].ActiveProducers; len(p) != 1 || p[0].ProducerID != 7 || p[0].ProducerEpoch != 1 || p[0].LastSequence != 4 {
		t.Errorf("producers are %+v, want id 7 with epoch 1 at sequence 4", p)
	}
	if parts[1].ErrorCode != 3 {
		t.Errorf("partition 1 of 1: code %d, want 3", parts[1].ErrorCode)
	}
}

func TestLogAppendTimeIsTheBrokers(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Settings: map[string]string{"log.message.timestamp.type": "LogAppendTime"}})
	before := time.Now().Truncate(time.Millisecond)
	got := put(t, r.dial(), 8, "web_log", 0, -1, seal(t, 3, record.NoProducer, record.Gzip))
	if got.ErrorCode != 0 || got.LogAppendTime < before.UnixMilli() {
		t.Errorf("code %d, time %d", got.ErrorCode, got.LogAppendTime)
	}
	for _, rec := range r.consume("web_log", 3) {
		if rec.Timestamp.Before(before) || rec.Timestamp.After(time.Now()) {
			t.Errorf("record's time is %s, want now", rec.Timestamp)
		}
	}
}

// raw is a connection for bytes that no client would send.
func (r *running) raw() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// send writes requests one behind the other, numbered from 0.
func send(t *testing.T, conn net.Conn, version int16, reqs ...kmsg.Request) {
	t.Helper()
	var b []byte
	for i, req := range reqs {
		req.SetVersion(version)
		b = append(b, kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, req, int32(i))...)
	}
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.raw()
	batch := seal(t, 2, record.NoProducer, record.None)
	var reqs []kmsg.Request
	for range 200 {
		reqs = append(reqs, produceRequest("web_log", 0, -1, batch))
	}
	send(t, conn, 7, reqs...)
	in := bufio.NewReader(conn)
	for i := range reqs {
		b, err := readReply(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint32(b); got != uint32(i) {
			t.Fatalf("answer %d is to request %d", i, got)
		}
		resp := kmsg.NewPtrProduceResponse()
		resp.SetVersion(7)
		if err := resp.ReadFrom(b[4:]); err != nil {
			t.Fatal(err)
		}
		if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != int64(2*i) {
			t.Fatalf("request %d: code %d at offset %d", i, p.ErrorCode, p.BaseOffset)
		}
	}
}

func TestWithoutAcksOnlyErrorsAreAnsweredByClosing(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.raw()
	batch := seal(t, 1, record.NoProducer, record.None)
	send(t, conn, 7, produceRequest("web_log", 0, 0, batch), produceRequest("web_log", 0, 0, batch), produceRequest("web_log", 0, 1, batch))
	b, err := readReply(bufio.NewReader(conn), nil)
	if err != nil || binary.BigEndian.Uint32(b) != 2 {
		t.Fatalf("the first answer is %x, %v; want that to request 2", b, err)
	}
	send(t, conn, 7, produceRequest("nothing", 0, 0, batch))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after an error without acks: %v, want the connection closed", err)
	}
}

func TestUnservedRequestsCloseTheConnectionWithOneLine(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	batch := seal(t, 1, record.NoProducer, record.None)
	for _, c := range []struct {
		name    string
		version int16
		req     kmsg.Request
	}{
		{"Produce (key 0) version 12", 12, produceRequest("web_log", 0, -1, batch)},
		{"Fetch (key 1) version 17", 17, kmsg.NewPtrFetchRequest()},
		{"LeaderAndISR (key 4) version 0", 0, kmsg.NewPtrLeaderAndISRRequest()},
		{"Metadata (key 3) version 14", 14, kmsg.NewPtrMetadataRequest()},
	} {
		conn := r.raw()
		send(t, conn, c.version, c.req)
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v, want the connection closed", c.name, err)
		}
		eventually(t, "a line about "+c.name, func() bool { return r.log.count(c.name) == 1 })
	}
}

func TestUnknownApiVersionsIsAnsweredInVersionZero(t *testing.T) {
	r := start(t, broker.Config{})
	conn := r.raw()
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 9)
	binary.BigEndian.PutUint16(frame[6:], 99)
	for range 2 { // the connection stays
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		b, err := readReply(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		if err := resp.ReadFrom(b[4:]); err != nil || resp.ErrorCode != 35 || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 {
			t.Errorf("answer %+v, %v; want code 35 and the range of key 18", resp, err)
		}
	}
}

func TestAppendsOfADyingConnectionStay(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.raw()
	send(t, conn, 7, produceRequest("web_log", 0, -1, seal(t, 4, record.NoProducer, record.None)))
	conn.Close()
	latest := kmsg.NewPtrListOffsetsRequest()
	latest.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "web_log", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
	asker := r.dial()
	eventually(t, "the four records", func() bool {
		return call[*kmsg.ListOffsetsResponse](t, asker, 4, latest).Topics[0].Partitions[0].Offset == 4
	})
}
