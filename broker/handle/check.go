package handle

import (
	"encoding/binary"
	"fmt"

	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// codedError is an answer to one part of a request: Kafka's code and a sentence for the client.
type codedError struct {
	code    int16
	message string
	early   bool               // found before the partition was looked at, of which the answer then says nothing
	records []wire.RecordError // which records of a batch it is about, if not all
}

// Error is the sentence, or the code's number.
func (e *codedError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("Kafka error %d", e.code)
	}
	return e.message
}

func coded(code int16, format string, args ...any) error {
	return &codedError{code: code, message: fmt.Sprintf(format, args...)}
}

// early is coded for what is wrong with the request itself.
func early(code int16, format string, args ...any) error {
	return &codedError{code: code, message: fmt.Sprintf(format, args...), early: true}
}

// leastSize is the smallest length field of any format's batch or message.
const leastSize = 14

// checkShape holds one partition's records of a Produce request against what a request of version 3 and later may hold:
// exactly one batch of format 2, whole. Kafka asks in this order, and the codes depend on it.
func checkShape(batch []byte) error {
	if len(batch) < 12 {
		return early(errInvalidRecord, "no record batch in %d bytes", len(batch))
	}
	size := int64(int32(binary.BigEndian.Uint32(batch[8:]))) + 12
	switch magic := record.MessageMagic(batch); {
	case size < leastSize+12:
		return early(errCorruptMessage, "a record batch of %d bytes", size)
	case len(batch) <= 16:
		return early(errInvalidRecord, "no record batch in %d bytes", len(batch))
	case magic < 0 || magic > 2:
		return early(errCorruptMessage, "magic is %d, want 2", magic)
	case size > int64(len(batch)):
		return early(errInvalidRecord, "the record batch is cut: %d of %d bytes", len(batch), size)
	case magic != 2:
		return early(errInvalidRecord, "magic is %d, this version takes 2", magic)
	case size < int64(len(batch)):
		return early(errInvalidRecord, "%d bytes behind the record batch: a partition takes exactly one", int64(len(batch))-size)
	}
	return nil
}

// checkBatch holds a batch against what the log may hold: a right checksum, and that it says the truth about its size. It
// leaves the records to checkRecords.
func checkBatch(batch []byte, version int16, largest int) (record.Header, error) {
	if err := checkShape(batch); err != nil {
		return record.Header{}, err
	}
	h, err := record.ParseHeader(batch)
	switch {
	case err != nil: // a length below a header's
		return h, early(errCorruptMessage, "%v", err)
	case h.Codec() == record.Zstd && version < 7:
		return h, early(errUnsupportedCompressionType, "zstd in version %d", version)
	case h.BaseOffset != 0:
		return h, coded(errInvalidRecord, "the base offset is %d, the broker gives it", h.BaseOffset)
	case len(batch) > largest:
		return h, coded(errMessageTooLarge, "the record batch has %d bytes, max.message.bytes is %d", len(batch), largest)
	case !record.CheckCRC(batch):
		return h, coded(errCorruptMessage, "the record batch's checksum is wrong")
	}
	return h, checkHeader(h)
}

// cleaned says whether a batch claims to know from when on its deletions may go: they would go too early.
func cleaned(h record.Header) bool {
	_, ok := h.DeleteHorizon()
	return ok
}

// checkHeader holds the header's fields against each other.
func checkHeader(h record.Header) error {
	switch {
	case h.Count <= 0 || h.LastOffsetDelta != h.Count-1:
		return coded(errInvalidRecord, "%d records, but the last offset delta is %d", h.Count, h.LastOffsetDelta)
	case h.Control():
		return coded(errInvalidRecord, "clients may not write control batches")
	case cleaned(h):
		return coded(errInvalidRecord, "a batch that compaction has marked, which is for the broker to do")
	case h.Codec() > record.Zstd:
		return coded(errUnsupportedCompressionType, "compression %s is unknown", h.Codec())
	case h.ProducerID >= 0 && h.BaseSequence < 0:
		return coded(errInvalidRecord, "producer %d without a sequence", h.ProducerID)
	case h.ProducerID >= 0 && h.ProducerEpoch < 0:
		return coded(errInvalidProducerEpoch, "producer %d without an epoch", h.ProducerID)
	}
	return nil
}
