package oracle_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stamp is the time of the records that scripts make.
const stamp = 1_600_000_000_000

// batch is a record batch, with all that can be wrong about one.
type batch struct {
	values   []string
	noKeys   bool
	codec    int16 // 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
	attrs    int16 // beside the codec
	pid      int64
	epoch    int16
	sequence int32
	time     int64
	count    int32 // instead of the true one
	last     int32 // instead of the true last offset delta, where not 0
	magic    int8
	badCRC   bool
	cut      int // bytes missing at the end
	keyless  bool
}

// plainBatch is a sound batch of values without a producer.
func plainBatch(values ...string) batch {
	return batch{values: values, pid: -1, epoch: -1, sequence: -1, time: stamp, magic: 2}
}

// sequenced is a sound batch of an idempotent producer.
func sequenced(pid int64, epoch int16, sequence int32, values ...string) batch {
	b := plainBatch(values...)
	b.pid, b.epoch, b.sequence = pid, epoch, sequence
	return b
}

// bytes builds the batch.
func (b batch) bytes() []byte {
	var records []byte
	for i, v := range b.values {
		r := kmsg.Record{OffsetDelta: int32(i), TimestampDelta64: int64(i), Value: []byte(v)}
		if !b.keyless {
			r.Key = []byte("k")
		}
		r.Headers = []kmsg.Header{{Key: "h", Value: []byte("x")}}
		r.Length = 1
		length := len(r.AppendTo(nil)) - 1
		r.Length = int32(length)
		records = append(records, r.AppendTo(nil)...)
	}
	count := int32(len(b.values))
	rb := kmsg.RecordBatch{
		Magic: 2, Attributes: b.codec | b.attrs, LastOffsetDelta: count - 1, FirstTimestamp: b.time, MaxTimestamp: b.time + int64(count) - 1,
		ProducerID: b.pid, ProducerEpoch: b.epoch, FirstSequence: b.sequence, NumRecords: count, Records: packed(b.codec, records),
	}
	if b.count != 0 {
		rb.NumRecords = b.count
	}
	if b.last != 0 {
		rb.LastOffsetDelta = b.last
	}
	rb.Length = int32(len(rb.AppendTo(nil)) - 12)
	raw := rb.AppendTo(nil)
	raw[16] = byte(b.magic)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	if b.badCRC {
		raw[17]++
	}
	return raw[:len(raw)-b.cut]
}

// packed compresses records as the clients do.
func packed(codec int16, records []byte) []byte {
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	if codec == 0 || int(codec) >= len(codecs) {
		return records
	}
	c, err := kgo.DefaultCompressor(codecs[codec])
	if err != nil {
		panic(err)
	}
	out, _ := c.Compress(new(bytes.Buffer), records)
	return bytes.Clone(out)
}

// message is one record of the old formats 0 and 1.
func message(magic int8, offset int64, codec int8, key, value []byte) []byte {
	var body []byte
	body = append(body, byte(magic), byte(codec))
	if magic == 1 {
		body = binary.BigEndian.AppendUint64(body, stamp)
	}
	for _, field := range [][]byte{key, value} {
		if field == nil {
			body = binary.BigEndian.AppendUint32(body, 0xffffffff)
			continue
		}
		body = binary.BigEndian.AppendUint32(body, uint32(len(field)))
		body = append(body, field...)
	}
	var out []byte
	out = binary.BigEndian.AppendUint64(out, uint64(offset))
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)+4))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, body...)
}

// renderRecords shows what a fetch brought, of whatever format.
func (s *session) renderRecords(b []byte) string {
	var all []string
	for len(b) >= 17 {
		size := int(binary.BigEndian.Uint32(b[8:])) + 12
		if size > len(b) {
			break // a set may end within a message, and where is for the broker to say
		}
		if b[16] == 2 {
			all = append(all, s.renderBatch(b[:size]))
		} else {
			all = append(all, s.renderMessage(b[:size]))
		}
		b = b[size:]
	}
	if len(all) == 0 {
		return ""
	}
	return "[" + strings.Join(all, " ") + "]"
}

func (s *session) renderBatch(raw []byte) string {
	var rb kmsg.RecordBatch
	if err := rb.ReadFrom(raw); err != nil {
		return "unreadable: " + err.Error()
	}
	if want := crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)); uint32(rb.CRC) != want {
		return "a batch with a wrong checksum"
	}
	text := fmt.Sprintf("batch{%d+%d attributes:%d first:%s max:%s producer:%v/%d/%d", rb.FirstOffset, rb.LastOffsetDelta, rb.Attributes,
		when(rb.FirstTimestamp), when(rb.MaxTimestamp), rb.ProducerID >= 0, rb.ProducerEpoch, rb.FirstSequence)
	records, err := kgo.DefaultDecompressor().Decompress(rb.Records, kgo.CompressionCodecType(rb.Attributes&7))
	if err != nil {
		return text + " unreadable}"
	}
	for range rb.NumRecords {
		var r kmsg.Record
		if err := r.ReadFrom(records); err != nil {
			return text + " unreadable}"
		}
		text += fmt.Sprintf(" %d:%q=%q", r.OffsetDelta, r.Key, s.plain(string(r.Value)))
		for _, h := range r.Headers {
			text += fmt.Sprintf("(%s=%s)", h.Key, h.Value)
		}
		records = records[varintLength(int64(r.Length))+int(r.Length):]
	}
	return text + "}"
}

func varintLength(n int64) int { return len(binary.AppendVarint(nil, n)) }

// when shows a time that a script chose.
func when(ms int64) string {
	if ms >= recently {
		return "<time>"
	}
	return fmt.Sprint(ms)
}

// renderMessage shows a record of format 0 or 1, with the ones inside it if it is packed.
func (s *session) renderMessage(raw []byte) string {
	if crc32.ChecksumIEEE(raw[16:]) != binary.BigEndian.Uint32(raw[12:]) {
		return "a message with a wrong checksum"
	}
	offset, magic, codec := binary.BigEndian.Uint64(raw), raw[16], raw[17]
	text := fmt.Sprintf("message{%d magic:%d codec:%d", offset, magic, codec)
	rest := raw[18:]
	if magic == 1 {
		text += " time:" + when(int64(binary.BigEndian.Uint64(rest)))
		rest = rest[8:]
	}
	key, rest := field(rest)
	value, _ := field(rest)
	if codec&7 == 0 {
		return text + fmt.Sprintf(" %q=%q}", key, s.plain(string(value)))
	}
	if codec&7 == 3 {
		return text + "}" // its frames are checked by real clients
	}
	inner, err := kgo.DefaultDecompressor().Decompress(value, kgo.CompressionCodecType(codec&7))
	if err != nil {
		return text + " unreadable}"
	}
	return text + " " + s.renderRecords(inner) + "}"
}

func field(b []byte) (value, rest []byte) {
	n := int32(binary.BigEndian.Uint32(b))
	if n < 0 {
		return nil, b[4:]
	}
	return b[4 : 4+n], b[4+n:]
}
