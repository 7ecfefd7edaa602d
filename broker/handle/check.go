package handle

import (
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// codedError is an answer to one part of a request: Kafka's code and a sentence for the client.
type codedError struct {
	code    int16
	message string
}

// Error is the sentence, or the code's number.
func (e *codedError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("Kafka error %d", e.code)
	}
	return e.message
}

func coded(code int16, format string, args ...any) error {
	return &codedError{code, fmt.Sprintf(format, args...)}
}

// checkBatch holds one partition's records of a Produce request against what the log may hold: exactly one batch of
// format 2, whole, with a right checksum, that says the truth about its size and its records.
func checkBatch(batch []byte, version int16, largest int) (record.Header, error) {
	if len(batch) == 0 {
		return record.Header{}, coded(errInvalidRecord, "no record batch")
	}
	h, err := record.ParseHeader(batch)
	switch {
	case err != nil: // too short for a header, another magic, a length below a header's
		return h, coded(errCorruptMessage, "%v", err)
	case h.Size() > len(batch):
		return h, coded(errInvalidRecord, "the record batch is cut: %d of %d bytes", len(batch), h.Size())
	case h.Size() < len(batch):
		return h, coded(errInvalidRecord, "%d bytes behind the record batch: a partition takes exactly one", len(batch)-h.Size())
	case !record.CheckCRC(batch):
		return h, coded(errCorruptMessage, "the record batch's checksum is wrong")
	case len(batch) > largest:
		return h, coded(errMessageTooLarge, "the record batch has %d bytes, max.message.bytes is %d", len(batch), largest)
	}
	if err := checkHeader(h, version); err != nil {
		return h, err
	}
	return h, checkRecords(batch, h)
}

// checkHeader holds the header's fields against each other.
func checkHeader(h record.Header, version int16) error {
	switch {
	case h.Count <= 0 || h.LastOffsetDelta != h.Count-1:
		return coded(errInvalidRecord, "%d records, but the last offset delta is %d", h.Count, h.LastOffsetDelta)
	case h.Control():
		return coded(errInvalidRecord, "clients may not write control batches")
	case h.Transactional():
		return coded(errInvalidTxnState, "this broker has no transactions")
	case h.Codec() > record.Zstd, h.Codec() == record.Zstd && version < 7:
		return coded(errUnsupportedCompressionType, "compression %s in version %d", h.Codec(), version)
	case h.ProducerID >= 0 && (h.ProducerEpoch < 0 || h.BaseSequence < 0):
		return coded(errInvalidRecord, "producer %d without epoch or sequence", h.ProducerID)
	}
	return nil
}
