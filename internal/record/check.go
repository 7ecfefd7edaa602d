package record

import (
	"encoding/binary"
	"fmt"
)

// Summary is what the records of a batch have in common.
type Summary struct {
	Earliest int64 // time of the earliest record that has one, as the records have it; -1: none has
	Latest   int64 // and of the latest: some clients leave it out of the header
	Keyless  int   // records without a key
}

// Check is Read without the records: it says whether one whole batch holds as
// many sound records as its header says, numbered from 0, and costs a fraction of
// Read. It decompresses at most limit bytes (ErrTooLarge above). The checksum is
// the caller's to check. A batch that lies about its records is ErrFormat.
func (r *Reader) Check(batch []byte, limit int) (s Summary, err error) {
	s = Summary{Earliest: -1, Latest: -1}
	h, err := ParseHeader(batch)
	if err != nil {
		return s, err
	}
	if h.Size() > len(batch) {
		return s, fmt.Errorf("%w: %d bytes of %d", ErrShort, len(batch), h.Size())
	}
	body, err := r.dec.decompress(batch[HeaderSize:h.Size()], h.Codec(), limit)
	if err != nil {
		return s, fmt.Errorf("decompressing the batch (%s): %w", h.Codec(), err)
	}
	for i := range h.Count {
		size, n := varint(body)
		if n <= 0 || size < 1 || size > int64(len(body)-n) {
			return s, fmt.Errorf("%w: record %d of %d", ErrFormat, i, h.Count)
		}
		later, keyed, ok := sound(body[n:n+int(size)], int64(i))
		if !ok {
			return s, fmt.Errorf("%w: record %d of %d", ErrFormat, i, h.Count)
		}
		s.see(h.FirstTimestamp+later, keyed)
		body = body[n+int(size):]
	}
	if len(body) != 0 {
		return s, fmt.Errorf("%w: %d bytes after the last record", ErrFormat, len(body))
	}
	return s, nil
}

// see counts one record in.
func (s *Summary) see(ms int64, keyed bool) {
	if s.Latest = max(s.Latest, ms); ms != -1 && (s.Earliest == -1 || ms < s.Earliest) {
		s.Earliest = ms
	}
	if !keyed {
		s.Keyless++
	}
}

// sound checks the fields of one record: attributes, time, its number in the
// batch, key, value, headers. It returns the time, less the batch's first, and
// whether there is a key.
func sound(b []byte, number int64) (later int64, keyed, ok bool) {
	b = b[1:]
	later, n := varint(b)
	if n <= 0 {
		later, n = binary.Varint(b) // a time may have ten
	}
	if n <= 0 {
		return 0, false, false
	}
	delta, m := varint(b[n:])
	if m <= 0 || delta != number {
		return 0, false, false
	}
	b = b[n+m:]
	key, n := varint(b)
	if n <= 0 || key < -1 || key > int64(len(b)-n) {
		return 0, false, false
	}
	if b, ok = skip(b[n+max(int(key), 0):], true); !ok {
		return 0, false, false
	}
	headers, n := varint(b)
	if n <= 0 || headers < 0 || headers > int64(len(b)) {
		return 0, false, false
	}
	for b = b[n:]; headers > 0; headers-- {
		if b, ok = skip(b, false); !ok { // a header's key is never null
			return 0, false, false
		}
		if b, ok = skip(b, true); !ok {
			return 0, false, false
		}
	}
	return later, key >= 0, len(b) == 0
}

// skip skips a length and that many bytes; -1 is null where that is allowed.
func skip(b []byte, null bool) ([]byte, bool) {
	size, n := varint(b)
	if n <= 0 || size < -1 || size > int64(len(b)-n) || size == -1 && !null {
		return nil, false
	}
	return b[n+max(int(size), 0):], true
}

// varint is binary.Varint for a length or a number, with the common short forms first: n is 0 when it has more bytes than
// the five that Kafka's clients read.
func varint(b []byte) (v int64, n int) {
	if len(b) > 1 {
		if c := b[0]; c < 0x80 {
			return int64(c>>1) ^ -int64(c&1), 1
		}
		if c := uint64(b[1]); c < 0x80 {
			u := uint64(b[0]&0x7f) | c<<7
			return int64(u>>1) ^ -int64(u&1), 2
		}
	}
	if v, n = binary.Varint(b); n > binary.MaxVarintLen32 {
		n = 0
	}
	return v, n
}
