package record

import (
	"encoding/binary"
	"fmt"
)

// attrDeleteHorizon says that the first timestamp is the time from which on the
// batch's deletions and markers may go (KIP-534).
const attrDeleteHorizon = 1 << 6

// DeleteHorizon is the time, in milliseconds since 1970, from which on compaction
// may drop the batch's records without a value, or its marker; false: no
// compaction has met it yet.
func (h Header) DeleteHorizon() (int64, bool) {
	return h.FirstTimestamp, h.Attributes&attrDeleteHorizon != 0
}

// NoHorizon is no delete horizon.
const NoHorizon = -1

// Sieve takes records out of whole batches, as compaction does. It keeps its
// buffers from batch to batch and is for one goroutine.
type Sieve struct {
	reader  Reader
	comp    compressor
	records []byte
	keep    []bool
}

// Sifted is what a Sieve made of a batch.
type Sifted struct {
	Kept, Dropped int
	Changed       bool // the batch was written anew
}

// Sift appends to dst the batch with those of its records for which keep holds; with
// none of them it appends nothing. Offsets, sequences, codec and the other fields
// stay. If a record without a value stays, or mark is set, and the batch has no
// delete horizon yet, it gets this one, if it is one. A batch of which nothing changes is copied.
// It decompresses at most limit bytes (ErrTooLarge). The checksum is the caller's to
// check; keep's records are valid during the call.
func (s *Sieve) Sift(dst, batch []byte, limit int, horizon int64, mark bool, keep func(*Record) bool) ([]byte, Sifted, error) {
	h, err := ParseHeader(batch)
	if err != nil {
		return dst, Sifted{}, err
	}
	if h.Size() > len(batch) {
		return dst, Sifted{}, fmt.Errorf("%w: %d bytes of %d", ErrShort, len(batch), h.Size())
	}
	body, err := s.reader.dec.decompress(batch[HeaderSize:h.Size()], h.Codec(), limit)
	if err != nil {
		return dst, Sifted{}, fmt.Errorf("decompressing the batch at offset %d (%s): %w", h.BaseOffset, h.Codec(), err)
	}
	found, latest, err := s.judge(body, h, &mark, keep)
	if err != nil || found.Kept == 0 {
		return dst, found, err
	}
	_, marked := h.DeleteHorizon()
	mark = mark && horizon != NoHorizon
	if found.Changed = found.Dropped > 0 || mark && !marked; !found.Changed {
		return append(dst, batch[:h.Size()]...), found, nil
	}
	to := h
	if mark && !marked {
		to.FirstTimestamp, to.Attributes = horizon, h.Attributes|attrDeleteHorizon
	}
	if to.MaxTimestamp = latest; h.LogAppendTime() {
		to.MaxTimestamp = h.MaxTimestamp
	}
	to.Count = int32(found.Kept)
	s.gather(body, h, to.FirstTimestamp)
	dst, err = s.seal(dst, batch, to)
	return dst, found, err
}

// judge asks keep about each record. Latest is the latest time of those that stay;
// mark is set when one without a value does.
func (s *Sieve) judge(body []byte, h Header, mark *bool, keep func(*Record) bool) (found Sifted, latest int64, err error) {
	s.keep, latest = s.keep[:0], -1
	for i := range h.Count {
		if body, err = s.reader.next(body, h); err != nil {
			return found, latest, fmt.Errorf("record %d of %d in the batch at offset %d: %w", i, h.Count, h.BaseOffset, err)
		}
		rec := &s.reader.rec
		stays := keep(rec)
		s.keep = append(s.keep, stays)
		if !stays {
			found.Dropped++
			continue
		}
		found.Kept++
		latest = max(latest, rec.Timestamp)
		*mark = *mark || rec.Value == nil
	}
	if len(body) != 0 {
		return found, latest, fmt.Errorf("%w: %d bytes after the last record of the batch at offset %d", ErrFormat, len(body), h.BaseOffset)
	}
	return found, latest, nil
}

// gather puts the records that stay into s.records, their times counted from first.
// Judge has found the body sound.
func (s *Sieve) gather(body []byte, h Header, first int64) {
	s.records = s.records[:0]
	shift := h.FirstTimestamp - first
	for _, stays := range s.keep {
		size, n := binary.Varint(body)
		whole, rec := body[:n+int(size)], body[n:n+int(size)]
		body = body[n+int(size):]
		switch {
		case !stays:
		case shift == 0:
			s.records = append(s.records, whole...)
		default:
			delta, m := binary.Varint(rec[1:])
			rest := rec[1+m:]
			s.records = binary.AppendVarint(s.records, int64(1+varintSize(delta+shift)+len(rest)))
			s.records = append(s.records, rec[0])
			s.records = binary.AppendVarint(s.records, delta+shift)
			s.records = append(s.records, rest...)
		}
	}
}

// seal appends the batch with the gathered records under the header to.
func (s *Sieve) seal(dst, batch []byte, to Header) ([]byte, error) {
	at := len(dst)
	out, err := s.comp.compress(append(dst, batch[:HeaderSize]...), s.records, to.Codec(), Fast)
	if err != nil {
		return dst, fmt.Errorf("compressing the batch at offset %d with %s: %w", to.BaseOffset, to.Codec(), err)
	}
	putHeader(out[at:], to)
	return out, nil
}

// AppendEmpty appends the batch without any records to dst: what is left of a
// producer's last batch, for its sequence.
func AppendEmpty(dst, batch []byte) ([]byte, error) {
	h, err := ParseHeader(batch)
	if err != nil {
		return dst, err
	}
	at := len(dst)
	dst = append(dst, batch[:HeaderSize]...)
	h.Attributes &= attrAppendTime | attrTransactional | attrControl
	h.FirstTimestamp, h.Count = -1, 0
	putHeader(dst[at:], h)
	return dst, nil
}

// putHeader writes the fields that compaction changes into one whole batch, and its
// length and checksum.
func putHeader(batch []byte, h Header) {
	be := binary.BigEndian
	be.PutUint32(batch[atLength:], uint32(len(batch)-overhead))
	be.PutUint16(batch[atAttributes:], uint16(h.Attributes))
	be.PutUint64(batch[atFirstTime:], uint64(h.FirstTimestamp))
	be.PutUint64(batch[atMaxTime:], uint64(h.MaxTimestamp))
	be.PutUint32(batch[atCount:], uint32(h.Count))
	putCRC(batch)
}
