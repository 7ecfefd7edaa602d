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
	buf    []byte // room for a batch's header, then the records; nil until there is one
	count  int
	sum    uint32 // CRC32C of the first summed bytes of the records
	summed int
	comp   compressor
	traded bool   // buf is somebody else's too, until Reset or Untrade
	next   []byte // what was given for it
}

// NewBuilder makes a Builder whose buffer starts with capacity bytes.
func NewBuilder(capacity int) *Builder {
	return &Builder{buf: make([]byte, HeaderSize, HeaderSize+capacity)}
}

// Reset forgets the records and keeps the buffers.
func (b *Builder) Reset() {
	b.count, b.sum, b.summed = 0, 0, 0
	if b.traded {
		if cap(b.next) < HeaderSize {
			b.next = make([]byte, 0, cap(b.buf))
		}
		b.buf, b.next, b.traded = b.next[:HeaderSize], nil, false
	}
	if b.buf != nil {
		b.buf = b.buf[:HeaderSize]
	}
}

// Len is the size of the records so far in bytes, before compression.
func (b *Builder) Len() int { return max(0, len(b.buf)-HeaderSize) }

// Count is the number of records so far.
func (b *Builder) Count() int { return b.count }

// Bytes are the framed records so far, before compression; valid until the next
// call to Append or Reset.
func (b *Builder) Bytes() []byte { return b.buf[min(HeaderSize, len(b.buf)):] }

// records is where the next record is put.
func (b *Builder) records() []byte {
	if b.buf == nil {
		b.buf = make([]byte, HeaderSize, 4<<10)
	}
	return b.buf
}

// CRC is CRC32C of the framed records before compression: equal for two batches
// that hold the same records, whatever their codec, producer and time.
func (b *Builder) CRC() uint32 {
	if records := b.Bytes(); b.summed != len(records) {
		b.sum, b.summed = crc32.Update(b.sum, castagnoli, records[b.summed:]), len(records)
	}
	return b.sum
}

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
	dst := binary.AppendVarint(b.records(), int64(size))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, tsDelta)
	dst = binary.AppendVarint(dst, int64(b.count))
	dst = binary.AppendVarint(dst, keyLen)
	dst = append(dst, key...)
	dst = binary.AppendVarint(dst, int64(len(value)))
	dst = append(dst, value...)
	dst = binary.AppendVarint(dst, int64(nHeaders))
	b.buf = append(dst, headers...)
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
	dst, err := b.comp.compress(dst, b.Bytes(), codec, level)
	if err != nil {
		return dst[:at], fmt.Errorf("compressing a batch of %d records with %s: %w", b.count, codec, err)
	}
	b.head(dst[at:], p, codec, firstTimestamp, maxTimestamp)
	putCRC(dst[at:])
	return dst, nil
}

// Trade is Seal onto an empty dst, whose buffer it takes for the next batch: records that
// are not compressed are not copied then, and the batch is the Builder's own buffer. The
// Builder still reads it, and adds nothing, until Reset or Untrade; another Trade seals the
// same batch anew.
func (b *Builder) Trade(dst []byte, p Producer, codec Codec, firstTimestamp, maxTimestamp int64) ([]byte, error) {
	if codec != None {
		return b.Seal(dst[:0], p, codec, firstTimestamp, maxTimestamp)
	}
	batch := b.records()
	if !b.traded {
		b.traded, b.next = true, dst
	}
	b.head(batch, p, codec, firstTimestamp, maxTimestamp)
	sum := crc32.Checksum(batch[atAttributes:HeaderSize], castagnoli)
	binary.BigEndian.PutUint32(batch[atCRC:], concat(sum, b.CRC(), b.Len()))
	return batch, nil
}

// Untrade ends a Trade whose batch is not used, and answers the buffer that is free: batch
// is what Trade answered, or was given if it was not called.
func (b *Builder) Untrade(batch []byte) []byte {
	if b.traded {
		batch, b.next, b.traded = b.next, nil, false
	}
	return batch
}

// head writes the header of a batch whose records are there, but for the checksum.
func (b *Builder) head(batch []byte, p Producer, codec Codec, firstTimestamp, maxTimestamp int64) {
	be := binary.BigEndian
	be.PutUint64(batch, 0)
	be.PutUint32(batch[atLeaderEpoch:], 0)
	be.PutUint32(batch[atLength:], uint32(len(batch)-overhead))
	batch[atMagic] = 2
	be.PutUint16(batch[atAttributes:], uint16(codec))
	be.PutUint32(batch[atLastDelta:], uint32(b.count-1))
	be.PutUint64(batch[atFirstTime:], uint64(firstTimestamp))
	be.PutUint64(batch[atMaxTime:], uint64(maxTimestamp))
	putProducer(batch, p)
	be.PutUint32(batch[atCount:], uint32(b.count))
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
