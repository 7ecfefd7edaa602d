package record

import (
	"encoding/binary"
	"fmt"
)

// Check is Read without the records: it says whether one whole batch holds as
// many sound records as its header says, numbered from 0, and costs a fraction of
// Read. It decompresses at most limit bytes (ErrTooLarge above). The checksum is
// the caller's to check. A batch that lies about its records is ErrFormat. The
// time of the latest record is returned, as the records have it, since some
// clients leave it out of the header; -1: there is none.
func (r *Reader) Check(batch []byte, limit int) (latest int64, err error) {
	h, err := ParseHeader(batch)
	if err != nil {
		return -1, err
	}
	if h.Size() > len(batch) {
		return -1, fmt.Errorf("%w: %d bytes of %d", ErrShort, len(batch), h.Size())
	}
	body, err := r.dec.decompress(batch[HeaderSize:h.Size()], h.Codec(), limit)
	if err != nil {
		return -1, fmt.Errorf("decompressing the batch (%s): %w", h.Codec(), err)
	}
	latest = -1
	for i := range h.Count {
		size, n := varint(body)
		if n <= 0 || size < 1 || size > int64(len(body)-n) {
			return -1, fmt.Errorf("%w: record %d of %d", ErrFormat, i, h.Count)
		}
		later, ok := sound(body[n:n+int(size)], int64(i))
		if !ok {
			return -1, fmt.Errorf("%w: record %d of %d", ErrFormat, i, h.Count)
		}
		latest = max(latest, h.FirstTimestamp+later)
		body = body[n+int(size):]
	}
	if len(body) != 0 {
		return -1, fmt.Errorf("%w: %d bytes after the last record", ErrFormat, len(body))
	}
	return latest, nil
}

// sound checks the fields of one record: attributes, time, its number in the
// batch, key, value, headers. It returns the time, less the batch's first.
func sound(b []byte, number int64) (later int64, ok bool) {
	b = b[1:]
	later, n := varint(b)
	if n <= 0 {
		return 0, false
	}
	delta, m := varint(b[n:])
	if m <= 0 || delta != number {
		return 0, false
	}
	if b, ok = skip(b[n+m:], true); !ok {
		return 0, false
	}
	if b, ok = skip(b, true); !ok {
		return 0, false
	}
	headers, n := varint(b)
	if n <= 0 || headers < 0 || headers > int64(len(b)) {
		return 0, false
	}
	for b = b[n:]; headers > 0; headers-- {
		if b, ok = skip(b, false); !ok { // a header's key is never null
			return 0, false
		}
		if b, ok = skip(b, true); !ok {
			return 0, false
		}
	}
	return later, len(b) == 0
}

// skip skips a length and that many bytes; -1 is null where that is allowed.
func skip(b []byte, null bool) ([]byte, bool) {
	size, n := varint(b)
	if n <= 0 || size < -1 || size > int64(len(b)-n) || size == -1 && !null {
		return nil, false
	}
	return b[n+max(int(size), 0):], true
}

// varint is binary.Varint with the common short forms first.
func varint(b []byte) (int64, int) {
	if len(b) > 1 {
		if c := b[0]; c < 0x80 {
			return int64(c>>1) ^ -int64(c&1), 1
		}
		if c := uint64(b[1]); c < 0x80 {
			u := uint64(b[0]&0x7f) | c<<7
			return int64(u>>1) ^ -int64(u&1), 2
		}
	}
	return binary.Varint(b)
}
