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
	w := walk{body: body, count: h.Count, first: h.FirstTimestamp, Summary: s}
	for w.stride(); w.number < w.count; w.stride() {
		if !w.step() {
			return w.Summary, fmt.Errorf("%w: record %d of %d", ErrFormat, w.number, w.count)
		}
	}
	if left := len(body) - w.at; left != 0 {
		return w.Summary, fmt.Errorf("%w: %d bytes after the last record", ErrFormat, left)
	}
	return w.Summary, nil
}

// step steps over one record of any form; false: it is not sound.
func (w *walk) step() bool {
	size, at := number(w.body, w.at)
	if at < 0 || size < 1 || size > int64(len(w.body)-at) {
		return false
	}
	later, keyed, ok := sound(w.body[at:at+int(size)], int64(w.number))
	if !ok {
		return false
	}
	w.see(w.first+later, keyed)
	w.at = at + int(size)
	w.number++
	return true
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
func sound(b []byte, want int64) (later int64, keyed, ok bool) {
	var delta, key, headers int64
	at := 1
	if at < len(b) && b[at] < 0x80 {
		later, at = short(b[at]), at+1
	} else if later, at = longNumber(b, at); at < 0 {
		var n int
		if later, n = binary.Varint(b[1:]); n <= 0 { // a time may have ten bytes
			return 0, false, false
		}
		at = 1 + n
	}
	if at < len(b) && b[at] < 0x80 {
		delta, at = short(b[at]), at+1
	} else {
		delta, at = longNumber(b, at)
	}
	if at < 0 || delta != want {
		return 0, false, false
	}
	if at < len(b) && b[at] < 0x80 {
		key, at = short(b[at]), at+1
	} else {
		key, at = longNumber(b, at)
	}
	if at < 0 || key < -1 || key > int64(len(b)-at) {
		return 0, false, false
	}
	if at = field(b, at+max(int(key), 0), -1); at < 0 {
		return 0, false, false
	}
	if at < len(b) && b[at] < 0x80 {
		headers, at = short(b[at]), at+1
	} else {
		headers, at = longNumber(b, at)
	}
	if at < 0 || headers < 0 || headers > int64(len(b)-at) {
		return 0, false, false
	}
	for ; headers > 0 && at >= 0; headers-- {
		if at = field(b, at, 0); at >= 0 { // a header's key is never null
			at = field(b, at, -1)
		}
	}
	return later, key >= 0, at == len(b)
}

// field steps over a length, which is least or more, and that many bytes; the place
// behind them is negative when they do not fit.
func field(b []byte, at int, least int64) (next int) {
	var size int64
	if at < len(b) && b[at] < 0x80 {
		size, at = short(b[at]), at+1
	} else {
		size, at = longNumber(b, at)
	}
	if at < 0 || size < least || size > int64(len(b)-at) {
		return -1
	}
	return at + max(int(size), 0)
}

// short is the number that one byte below 0x80 holds.
func short(b byte) int64 { return int64(b>>1) ^ -int64(b&1) }

// number reads a length or a number at a place in b and returns it with the place
// behind it; that is negative when there is none, or it has more bytes than the five
// that Kafka's clients read.
func number(b []byte, at int) (v int64, next int) {
	if at < len(b) && b[at] < 0x80 {
		return int64(b[at]>>1) ^ -int64(b[at]&1), at + 1
	}
	return longNumber(b, at)
}

// longNumber is number for more than one byte.
func longNumber(b []byte, at int) (v int64, next int) {
	if at+1 < len(b) && b[at+1] < 0x80 {
		u := uint64(b[at]&0x7f) | uint64(b[at+1])<<7
		return int64(u>>1) ^ -int64(u&1), at + 2
	}
	if at >= len(b) {
		return 0, -1
	}
	v, n := binary.Varint(b[at:])
	if n <= 0 || n > binary.MaxVarintLen32 {
		return 0, -1
	}
	return v, at + n
}
