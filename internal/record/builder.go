package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
)

// Producer is who sends a batch and with which first sequence (KIP-98). ID -1
// means that the producer is not idempotent; epoch and sequence are -1 then too.
type Producer struct {
	ID       int64
	Epoch    int16
	Sequence int32
}

// NoProducer is the Producer of a batch that is not idempotent.
var NoProducer = Producer{ID: -1, Epoch: -1, Sequence: -1}

// Builder gathers records and seals them into one batch. Its buffers are kept
// from batch to batch; it is for one goroutine.
type Builder struct {
	records []byte
	count   int
	comp    compressor
}

// NewBuilder makes a Builder whose buffer starts with capacity bytes.
func NewBuilder(capacity int) *Builder {
	return &Builder{records: make([]byte, 0, capacity)}
}

// Reset forgets the records and keeps the buffers.
func (b *Builder) Reset() { b.records, b.count = b.records[:0], 0 }

// Len is the size of the records so far in bytes, before compression.
func (b *Builder) Len() int { return len(b.records) }

// Count is the number of records so far.
func (b *Builder) Count() int { return b.count }

// Bytes are the framed records so far, before compression; valid until the next
// call to Append or Reset.
func (b *Builder) Bytes() []byte { return b.records }

// CRC is CRC32C of the framed records before compression: equal for two batches
// that hold the same records, whatever their codec, producer and time.
func (b *Builder) CRC() uint32 { return crc32.Checksum(b.records, castagnoli) }

// Append adds one record. tsDelta is its time less the batch's first, in
// milliseconds; a nil key is null; headers holds nHeaders headers encoded by
// AppendHeader. All bytes are copied.
func (b *Builder) Append(tsDelta int64, key, value []byte, nHeaders int, headers []byte) {
	keyLen := int64(len(key))
	if key == nil {
		keyLen = -1
	}
	size := 1 + varintSize(tsDelta) + varintSize(int64(b.count)) +
		varintSize(keyLen) + len(key) + varintSize(int64(len(value))) + len(value) +
		varintSize(int64(nHeaders)) + len(headers)
	dst := binary.AppendVarint(b.records, int64(size))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, tsDelta)
	dst = binary.AppendVarint(dst, int64(b.count))
	dst = binary.AppendVarint(dst, keyLen)
	dst = append(dst, key...)
	dst = binary.AppendVarint(dst, int64(len(value)))
	dst = append(dst, value...)
	dst = binary.AppendVarint(dst, int64(nHeaders))
	b.records = append(dst, headers...)
	b.count++
}

// Seal appends the whole batch to dst: header, then the records compressed by
// codec, checksum last. Base offset and leader epoch are 0, as Kafka's clients
// send them. The Builder keeps its records until Reset.
func (b *Builder) Seal(dst []byte, p Producer, codec Codec, firstTimestamp, maxTimestamp int64) ([]byte, error) {
	return b.seal(dst, p, codec, Fast, firstTimestamp, maxTimestamp)
}

// seal is Seal at a level of the codec.
func (b *Builder) seal(dst []byte, p Producer, codec Codec, level Level, firstTimestamp, maxTimestamp int64) ([]byte, error) {
	at := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	dst, err := b.comp.compress(dst, b.records, codec, level)
	if err != nil {
		return dst[:at], fmt.Errorf("compressing a batch of %d records with %s: %w", b.count, codec, err)
	}
	batch, be := dst[at:], binary.BigEndian
	be.PutUint32(batch[atLength:], uint32(len(batch)-overhead))
	batch[atMagic] = 2
	be.PutUint16(batch[atAttributes:], uint16(codec))
	be.PutUint32(batch[atLastDelta:], uint32(b.count-1))
	be.PutUint64(batch[atFirstTime:], uint64(firstTimestamp))
	be.PutUint64(batch[atMaxTime:], uint64(maxTimestamp))
	putProducer(batch, p)
	be.PutUint32(batch[atCount:], uint32(b.count))
	putCRC(batch)
	return dst, nil
}

// AppendHeader encodes one record header onto dst.
func AppendHeader(dst []byte, key string, value []byte) []byte {
	dst = binary.AppendVarint(dst, int64(len(key)))
	dst = append(dst, key...)
	dst = binary.AppendVarint(dst, int64(len(value)))
	return append(dst, value...)
}

// RecordSize is an upper bound, in bytes, of what one record adds to a batch.
func RecordSize(key, value, headers []byte) int {
	return len(key) + len(value) + len(headers) + 1 + 5*binary.MaxVarintLen32 + binary.MaxVarintLen64
}

// varintSize is the length in bytes of v as a zigzag varint.
func varintSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}
