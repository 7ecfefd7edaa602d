package broker_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/realkafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// oldMessage is one message of format 0 or 1, made without the broker's own code.
func oldMessage(offset int64, magic, attributes int8, ms int64, key, value []byte) []byte {
	be := binary.BigEndian
	body := []byte{0, 0, 0, 0, byte(magic), byte(attributes)}
	if magic == 1 {
		body = be.AppendUint64(body, uint64(ms))
	}
	for _, field := range [][]byte{key, value} {
		if field == nil {
			body = be.AppendUint32(body, 0xffffffff)
			continue
		}
		body = append(be.AppendUint32(body, uint32(len(field))), field...)
	}
	be.PutUint32(body, crc32.ChecksumIEEE(body[4:]))
	b := be.AppendUint32(be.AppendUint64(nil, uint64(offset)), uint32(len(body)))
	return append(b, body...)
}

// pack compresses as clients do.
func pack(t *testing.T, codec record.Codec, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch codec {
	case record.Gzip:
		w = gzip.NewWriter(&out)
	case record.Lz4:
		w = lz4.NewWriter(&out)
	case record.Snappy:
		return s2.EncodeSnappy(nil, b)
	default:
		return b
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// oldCase is one Produce request up to version 2 and its answer.
type oldCase struct {
	name    string
	version int16
	records []byte
	code    int16
	count   int   // records appended; 0 with code 0: the answer has offset -1
	kafka   int16 // the code of Apache Kafka 3.9.1 where it is another
}

// oldCases are what Kafka 3.9.1 takes and refuses.
func oldCases(t *testing.T, now int64) []oldCase {
	k, v := []byte("key"), []byte("value")
	one, zero := oldMessage(0, 1, 0, now, k, v), oldMessage(0, 0, 0, 0, k, v)
	two := slices.Concat(one, oldMessage(1, 1, 0, now+5, nil, nil))
	wrap := func(attributes int8, set []byte) []byte {
		return oldMessage(1, 1, attributes, now+5, nil, pack(t, record.Codec(attributes&7), set))
	}
	bad := slices.Clone(one)
	bad[len(bad)-1] ^= 1
	small := slices.Clone(one)
	binary.BigEndian.PutUint32(small[8:], 13)
	future := slices.Clone(one)
	future[16] = 3
	batch := edit(seal(t, 3, record.NoProducer, record.None), func([]byte) {})
	return []oldCase{
		{"format 1", 2, one, 0, 1, 0}, {"format 0", 0, zero, 0, 1, 0}, {"format 0 in version 1", 1, zero, 0, 1, 0},
		{"format 0 in version 2", 2, zero, 0, 1, 0}, {"format 1 in version 0", 0, one, 0, 1, 0}, {"two", 2, two, 0, 2, 0},
		{"one and a part", 2, two[:len(two)-3], 0, 1, 0}, {"a part", 2, one[:20], 0, 0, 0}, {"five bytes", 2, one[:5], 0, 0, 0}, {"nothing", 2, []byte{}, 0, 0, 0},
		{"a wrong checksum", 2, bad, 2, 0, 0}, {"size 13", 2, small, 2, 0, 0}, {"format 3", 2, future, 2, 0, 0},
		{"a good one, a wrong checksum", 2, slices.Concat(one, bad), 2, 0, 0}, {"two formats", 2, slices.Concat(one, zero), 87, 0, 0},
		{"marked as timed by a broker", 2, oldMessage(0, 1, 8, now, k, v), 0, 1, 0}, {"no time", 2, oldMessage(0, 1, 0, -1, k, v), 0, 1, 0},
		{"gzip", 2, wrap(1, two), 0, 2, 0}, {"raw snappy", 2, wrap(2, two), 0, 2, 0}, {"lz4", 2, wrap(3, two), 0, 2, 0},
		{"gzip, timed by a broker", 2, wrap(9, two), 0, 2, 0}, {"gzip, a part inside", 2, wrap(1, two[:len(two)-2]), 0, 1, 0},
		{"lz4 in format 0", 0, oldMessage(0, 0, 3, 0, nil, pack(t, record.Lz4, zero)), 0, 1, 0},
		{"gzip of nothing", 2, wrap(1, nil), 87, 0, 0}, {"a wrapper without a value", 2, oldMessage(0, 1, 1, now, nil, nil), 87, 0, 0},
		{"gzip of format 0", 2, wrap(1, zero), 87, 0, 0}, {"gzip of gzip", 2, wrap(1, wrap(1, two)), 87, 0, 0}, {"gzip of a wrong checksum", 2, wrap(1, bad), 2, 0, 0},
		{"gzip and one", 2, slices.Concat(wrap(1, two), one), 87, 0, 0}, {"one and gzip", 2, slices.Concat(one, wrap(1, two)), 87, 0, 0},
		{"not gzip", 2, oldMessage(0, 1, 1, now, nil, v), 87, 0, -1}, {"zstd", 2, oldMessage(0, 1, 4, now, nil, v), 76, 0, 87}, {"codec 5", 2, oldMessage(0, 1, 5, now, nil, v), 76, 0, -1},
		{"inner offsets that say nothing", 2, oldMessage(0, 1, 1, now, nil, pack(t, record.Gzip, slices.Concat(one, one))), 0, 2, 0},
		{"a batch", 2, batch, 0, 3, 0}, {"a batch in version 0", 0, batch, 0, 3, 0}, {"two batches", 2, slices.Concat(batch, batch), 87, 0, 0},
		{"a cut batch", 2, batch[:len(batch)-1], 0, 0, 0}, {"a batch and a message", 2, slices.Concat(batch, one), 87, 0, 0}, {"a message and a batch", 2, slices.Concat(one, batch), 87, 0, 0},
		{"format 1 in version 3", 3, one, 87, 0, 0}, {"format 0 in version 8", 8, zero, 87, 0, 0}, {"gzip in version 8", 8, wrap(1, two), 87, 0, 0},
	}
}

// playOldCases sends them to a topic of its own and returns the offset behind the last record.
func playOldCases(t *testing.T, conn *kafka.Conn, real bool) (next int64) {
	for _, c := range oldCases(t, time.Now().UnixMilli()) {
		want := c.code
		if real && c.kafka != 0 {
			want = c.kafka
		}
		var got kmsg.ProduceResponseTopicPartition
		eventually(t, "the new topic has a leader", func() bool { // a real Kafka answers 6 until it has told itself
			got = put(t, conn, c.version, "old", 0, 1, c.records)
			return !real || got.ErrorCode != 6
		})
		base := int64(-1)
		if want == 0 && c.count > 0 {
			base = next
			next += int64(c.count)
		}
		if got.ErrorCode != want || got.BaseOffset != base {
			t.Errorf("%s: code %d at offset %d, want %d at %d", c.name, got.ErrorCode, got.BaseOffset, want, base)
		}
	}
	return next
}

// clientMessage is a message as a client of old sees it.
type clientMessage struct {
	offset, ms int64
	key, value string // "-" is null
}

// readOldSet takes a message set apart as an old client does, and leaves out what lies behind the last whole message.
func readOldSet(t *testing.T, set []byte, magic int8) []clientMessage {
	t.Helper()
	be := binary.BigEndian
	var out []clientMessage
	for len(set) >= 12 && int(be.Uint32(set[8:])) <= len(set)-12 && int64(be.Uint64(set)) >= 0 {
		offset, body := int64(be.Uint64(set)), set[12:12+be.Uint32(set[8:])]
		set = set[12+len(body):]
		if crc32.ChecksumIEEE(body[4:]) != be.Uint32(body) || int8(body[4]) != magic {
			t.Fatalf("the message at offset %d has the checksum %x and format %d, want format %d", offset, be.Uint32(body), body[4], magic)
		}
		codec, fields, m := record.Codec(body[5]&7), body[6:], clientMessage{offset: offset, ms: -1}
		if magic == 1 {
			m.ms, fields = int64(be.Uint64(fields)), fields[8:]
		}
		field := func() []byte {
			n := int32(be.Uint32(fields))
			fields = fields[4:]
			if n < 0 {
				return nil
			}
			f := fields[:n]
			fields = fields[n:]
			return f
		}
		text := func(b []byte) string {
			if b == nil {
				return "-"
			}
			return string(b)
		}
		key, value := field(), field()
		if codec == record.None {
			m.key, m.value = text(key), text(value)
			out = append(out, m)
			continue
		}
		inner := readOldSet(t, unpack(t, codec, value, magic), magic)
		for i := range inner {
			if magic == 1 {
				inner[i].offset += offset - int64(len(inner)-1)
			}
		}
		out = append(out, inner...)
	}
	return out
}

// unpack decompresses as old clients do: LZ4 of format 0 has a header checksum that no library takes.
func unpack(t *testing.T, codec record.Codec, b []byte, magic int8) []byte {
	t.Helper()
	var out []byte
	var err error
	switch codec {
	case record.Gzip:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			out, err = io.ReadAll(r)
		}
	case record.Snappy:
		for b = b[16:]; len(b) > 0 && err == nil; {
			n := binary.BigEndian.Uint32(b)
			var block []byte
			block, err = s2.Decode(nil, b[4:4+n])
			out, b = append(out, block...), b[4+n:]
		}
	case record.Lz4:
		frame := slices.Clone(b)
		for sum := range 256 {
			if frame[6] = byte(sum); magic == 1 {
				frame[6] = b[6]
			}
			if out, err = io.ReadAll(lz4.NewReader(bytes.NewReader(frame))); err == nil {
				break
			}
		}
		if magic == 0 && bytes.Equal(frame, b) {
			t.Error("LZ4 in format 0 has the checksum that its clients refuse")
		}
	}
	if err != nil {
		t.Fatalf("unpacking %s of format %d: %v", codec, magic, err)
	}
	return out
}

// fillForOldFetches writes three records in each codec, batch by batch.
func fillForOldFetches(t *testing.T, conn *kafka.Conn) {
	t.Helper()
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.Lz4} {
		b := record.NewBuilder(1024)
		b.Append(0, []byte("key"), []byte("value"), 1, record.AppendHeader(nil, "h", []byte("v")))
		b.Append(7, []byte("k2"), bytes.Repeat([]byte("long "), 30), 0, nil)
		b.AppendTombstone(3, []byte("gone"))
		batch, err := b.Seal(nil, record.NoProducer, codec, 1_700_000_000_000, 1_700_000_000_007)
		if err != nil {
			t.Fatal(err)
		}
		if got := put(t, conn, 7, "down", 0, -1, batch); got.ErrorCode != 0 {
			t.Fatalf("%s: code %d", codec, got.ErrorCode)
		}
	}
}

// oldFetch is one answer.
type oldFetch struct {
	head     string
	messages []clientMessage
}

// oldFetches reads from every offset in versions 0 to 3.
func oldFetches(t *testing.T, conn *kafka.Conn) []oldFetch {
	t.Helper()
	var out []oldFetch
	for version := int16(0); version < 4; version++ {
		for offset := int64(-1); offset <= 13; offset++ {
			req := fetchRequest("down", 0, offset, 1, 100)
			p := call[*kmsg.FetchResponse](t, conn, version, req).Topics[0].Partitions[0]
			head := fmt.Sprintf("version %d from %d: code %d, watermark %d", version, offset, p.ErrorCode, p.HighWatermark)
			out = append(out, oldFetch{head, readOldSet(t, p.RecordBatches, int8(version/2))})
		}
	}
	return out
}

func TestOldProduceVersionsAreServedAsKafkaDoes(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"old:1"}})
	n := playOldCases(t, r.dial(), false)
	if got := r.consume("old", int(n)); len(got) != int(n) {
		t.Errorf("%d records, want %d", len(got), n)
	}
}

func TestOldFetchVersionsGetOldFormats(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"down:1"}})
	conn := r.dial()
	fillForOldFetches(t, conn)
	got, n := oldFetches(t, conn), 0
	for _, f := range got {
		n += len(f.messages)
	}
	// From offset o there are 12-o records and, if o lies in a packed batch, those before it in there.
	if want := 4 * (12 + 11 + 10 + 3*(9+6+3)); n != want {
		t.Errorf("%d records in all, want %d:\n%+v", n, want, got)
	}
}

// TestOldFormatsAgreeWithKafka plays the same sessions against Apache Kafka 3.9.1, the last that has them.
func TestOldFormatsAgreeWithKafka(t *testing.T) {
	real := realkafka.Start(t, realkafka.Config{Version: realkafka.V3})
	ours := start(t, broker.Config{CreateTopics: []string{"old:1", "down:1"}})
	dialed := func(addr string) *kafka.Conn { return (&running{t: t, addr: addr}).dial() }
	conn := dialed(real.Addr)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 20_000
	for _, name := range []string{"old", "down"} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
		create.Topics = append(create.Topics, topic)
	}
	if resp := call[*kmsg.CreateTopicsResponse](t, conn, 4, create); resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("creating topics: %+v", resp)
	}
	eventually(t, "the topics' leader", func() bool {
		meta := kmsg.NewPtrMetadataRequest()
		meta.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("old")}, {Topic: kmsg.StringPtr("down")}}
		topics := call[*kmsg.MetadataResponse](t, conn, 4, meta).Topics
		return topics[0].ErrorCode == 0 && topics[1].ErrorCode == 0
	})
	playOldCases(t, conn, true)
	fillForOldFetches(t, conn)
	fillForOldFetches(t, dialed(ours.addr))
	want, got := oldFetches(t, conn), oldFetches(t, dialed(ours.addr))
	if len(want) != len(got) {
		t.Fatalf("%d answers, Kafka gives %d", len(got), len(want))
	}
	for i := range want {
		// Kafka cuts what it converted to the size of what it converted from.
		n := len(want[i].messages)
		if want[i].head != got[i].head || n > len(got[i].messages) || n == 0 && len(got[i].messages) > 0 || !slices.Equal(want[i].messages, got[i].messages[:n]) {
			t.Errorf("Kafka answers\n%+v\nhere it is\n%+v", want[i], got[i])
		}
	}
}
