package record

import (
	"encoding/binary"
	"fmt"
)

// Check is Read without the records: it says whether one whole batch holds as
// many sound records as its header says, numbered from 0, and costs a fraction of
// Read. It decompresses at most limit bytes (ErrTooLarge above). The checksum is
// the caller's to check. A batch that lies about its records is ErrFormat.
func (r *Reader) Check(batch []byte, limit int) error {
	h, err := ParseHeader(batch)
	if err != nil {
		return err
	}
	if h.Size() > len(batch) {
		return fmt.Errorf("%w: %d bytes of %d", ErrShort, len(batch), h.Size())
	}
	body, err := r.dec.decompress(batch[HeaderSize:h.Size()], h.Codec(), limit)
	if err != nil {
		return fmt.Errorf("decompressing the batch (%s): %w", h.Codec(), err)
	}
	for i := range h.Count {
		size, n := varint(body)
		if n <= 0 || size < 1 || size > int64(len(body)-n) || !sound(body[n:n+int(size)], int64(i)) {
			return fmt.Errorf("%w: record %d of %d", ErrFormat, i, h.Count)
		}
		body = body[n+int(size):]
	}
	if len(body) != 0 {
		return fmt.Errorf("%w: %d bytes after the last record", ErrFormat, len(body))
	}
	return nil
}

// sound checks the fields of one record: attributes, time, its number in the
// batch, key, value, headers.
func sound(b []byte, number int64) bool {
	b = b[1:]
	_, n := varint(b)
	if n <= 0 {
		return false
	}
	delta, m := varint(b[n:])
	if m <= 0 || delta != number {
		return false
	}
	b, ok := skip(b[n+m:], true)
	if !ok {
		return false
	}
	if b, ok = skip(b, true); !ok {
		return false
	}
	headers, n := varint(b)
	if n <= 0 || headers < 0 || headers > int64(len(b)) {
		return false
	}
	for b = b[n:]; headers > 0; headers-- {
		if b, ok = skip(b, false); !ok { // a header's key is never null
			return false
		}
		if b, ok = skip(b, true); !ok {
			return false
		}
	}
	return len(b) == 0
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
