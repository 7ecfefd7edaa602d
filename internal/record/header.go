package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Offset is a record's number in one partition's log: 0 for the first ever
// written, one more for each that follows. It is not a byte position.
type Offset int64

// HeaderSize is the length in bytes of a batch's header; records follow it.
const HeaderSize = 61

// overhead is what stands before the bytes that a batch's length field counts.
const overhead = 12

// Byte positions of the fields that are read or written in place.
const (
	atLength      = 8
	atLeaderEpoch = 12
	atMagic       = 16
	atCRC         = 17
	atAttributes  = 21
	atLastDelta   = 23
	atFirstTime   = 27
	atMaxTime     = 35
	atProducer    = 43
	atEpoch       = 51
	atSequence    = 53
	atCount       = 57
)

// Bits of the attributes field above the codec's three.
const (
	attrAppendTime    = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrShort says that fewer bytes were given than the batch or its header needs.
var ErrShort = errors.New("record batch is cut short")

// ErrFormat says that the bytes are no batch of format 2, or lie about themselves.
var ErrFormat = errors.New("malformed record batch")

// Header is the fixed part of one batch. Times are milliseconds since 1970.
type Header struct {
	BaseOffset      Offset
	Length          int32 // bytes after this field; Size is the whole
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32
	Attributes      int16
	LastOffsetDelta int32
	FirstTimestamp  int64
	MaxTimestamp    int64
	ProducerID      int64 // -1: the producer is not idempotent
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32
}

// ParseHeader reads the header at the head of b. It checks the format and that
// the length can hold a header, not the CRC, and needs only the first 61 bytes.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: %d bytes, the header alone has %d", ErrShort, len(b), HeaderSize)
	}
	be := binary.BigEndian
	h := Header{
		BaseOffset:      Offset(be.Uint64(b)),
		Length:          int32(be.Uint32(b[atLength:])),
		LeaderEpoch:     int32(be.Uint32(b[atLeaderEpoch:])),
		Magic:           int8(b[atMagic]),
		CRC:             be.Uint32(b[atCRC:]),
		Attributes:      int16(be.Uint16(b[atAttributes:])),
		LastOffsetDelta: int32(be.Uint32(b[atLastDelta:])),
		FirstTimestamp:  int64(be.Uint64(b[atFirstTime:])),
		MaxTimestamp:    int64(be.Uint64(b[atMaxTime:])),
		ProducerID:      int64(be.Uint64(b[atProducer:])),
		ProducerEpoch:   int16(be.Uint16(b[atEpoch:])),
		BaseSequence:    int32(be.Uint32(b[atSequence:])),
		Count:           int32(be.Uint32(b[atCount:])),
	}
	if h.Magic != 2 {
		return h, fmt.Errorf("%w: magic %d, want 2", ErrFormat, h.Magic)
	}
	if h.Length < HeaderSize-overhead {
		return h, fmt.Errorf("%w: length %d is less than a header", ErrFormat, h.Length)
	}
	return h, nil
}

// Size is the whole batch in bytes, header included.
func (h Header) Size() int { return overhead + int(h.Length) }

// Codec is how the records are compressed.
func (h Header) Codec() Codec { return Codec(h.Attributes & 7) }

// LogAppendTime says that every record's time is MaxTimestamp, set by the broker.
func (h Header) LogAppendTime() bool { return h.Attributes&attrAppendTime != 0 }

// Transactional says that the records belong to a transaction (KIP-98).
func (h Header) Transactional() bool { return h.Attributes&attrTransactional != 0 }

// Control says that the batch holds a transaction marker and no data.
func (h Header) Control() bool { return h.Attributes&attrControl != 0 }

// LastOffset is the offset of the batch's last record.
func (h Header) LastOffset() Offset { return h.BaseOffset + Offset(h.LastOffsetDelta) }

// NextOffset is the offset that follows the batch.
func (h Header) NextOffset() Offset { return h.LastOffset() + 1 }

// LastSequence is the producer's sequence of the last record; sequences run
// from 0 to 2^31-1 and begin again at 0.
func (h Header) LastSequence() int32 { return AddSequence(h.BaseSequence, h.LastOffsetDelta) }

// AddSequence is sequence s advanced by n, which wraps from 2^31-1 to 0.
func AddSequence(s, n int32) int32 { return int32((int64(s) + int64(n)) & 0x7fffffff) }

// CheckCRC says whether the checksum of one whole batch is right; bytes after
// its end are not looked at.
func CheckCRC(batch []byte) bool {
	h, err := ParseHeader(batch)
	if err != nil || h.Size() > len(batch) {
		return false
	}
	return crc32.Checksum(batch[atAttributes:h.Size()], castagnoli) == h.CRC
}

// Stamp writes base offset and leader epoch into a batch in place. Both lie
// outside the checksum, so nothing else changes.
func Stamp(batch []byte, base Offset, leaderEpoch int32) {
	binary.BigEndian.PutUint64(batch, uint64(base))
	binary.BigEndian.PutUint32(batch[atLeaderEpoch:], uint32(leaderEpoch))
}

// SetAppendTime marks one whole batch as timed by the broker at ms and computes
// its checksum anew (message.timestamp.type=LogAppendTime).
func SetAppendTime(batch []byte, ms int64) {
	batch[atAttributes+1] |= attrAppendTime
	binary.BigEndian.PutUint64(batch[atMaxTime:], uint64(ms))
	putCRC(batch)
}

// MaxTime is the time in one batch's header: of its latest record, or of all with
// log append time.
func MaxTime(batch []byte) int64 { return int64(binary.BigEndian.Uint64(batch[atMaxTime:])) }

// SetCreateTime takes the mark of SetAppendTime away, and writes the latest
// record's time into the header.
func SetCreateTime(batch []byte, latest int64) {
	batch[atAttributes+1] &^= attrAppendTime
	SetMaxTime(batch, latest)
}

// SetMaxTime writes the latest record's time into the header of one whole batch
// and computes its checksum anew; the records stay as they are.
func SetMaxTime(batch []byte, ms int64) {
	binary.BigEndian.PutUint64(batch[atMaxTime:], uint64(ms))
	putCRC(batch)
}

// SetProducer writes another producer id, epoch and first sequence into one
// whole batch and computes its checksum anew; the records stay as they are.
func SetProducer(batch []byte, p Producer) {
	putProducer(batch, p)
	putCRC(batch)
}

// SetTimes writes the time of the first record and the latest time into one
// whole batch whose records carry no delta, and computes its checksum anew.
func SetTimes(batch []byte, first, latest int64) {
	binary.BigEndian.PutUint64(batch[atFirstTime:], uint64(first))
	binary.BigEndian.PutUint64(batch[atMaxTime:], uint64(latest))
	putCRC(batch)
}

func putProducer(batch []byte, p Producer) {
	binary.BigEndian.PutUint64(batch[atProducer:], uint64(p.ID))
	binary.BigEndian.PutUint16(batch[atEpoch:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(batch[atSequence:], uint32(p.Sequence))
}

func putCRC(batch []byte) {
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
}
