package shape

import (
	"encoding/binary"
	"math"
)

// skim returns what follows, or the step that does not fit.
func (s shape) skim(b []byte) (rest []byte, bad *step) {
	for i := range s {
		next := &s[i]
		ok := true
		switch next.kind {
		case fixed:
			if ok = next.size <= len(b); ok {
				b = b[next.size:]
			}
		case tags:
			if len(b) > 0 && b[0] == 0 { // nearly all
				b = b[1:]
			} else {
				b, ok = skimTags(b)
			}
		default:
			if b, bad = next.counted(b); bad != nil {
				return nil, bad
			}
		}
		if !ok {
			return nil, next
		}
	}
	return b, nil
}

// counted walks over what a length counts, as skim does.
func (s *step) counted(b []byte) (rest []byte, bad *step) {
	b, n, ok := s.length(b)
	least := int64(n) * int64(s.size)
	if !ok || least > int64(len(b)) {
		return nil, s
	}
	if s.kind != array {
		return b[least:], nil
	}
	for ; n > 0; n-- {
		if b, bad = s.inner.skim(b); bad != nil {
			return nil, bad
		}
	}
	return b, nil
}

// length reads the length in front of a step; null is 0.
func (s *step) length(b []byte) (rest []byte, n int, ok bool) {
	var length int32
	switch {
	case len(b) < s.prefix:
		return nil, 0, false
	case s.prefix == 2:
		length = int32(int16(binary.BigEndian.Uint16(b)))
	case s.prefix == 4:
		length = int32(binary.BigEndian.Uint32(b))
	default:
		v, size := uvarint32(b)
		if size == 0 || v > math.MaxInt32 && s.kind == run {
			return nil, 0, false
		}
		return b[size:], int(max(int32(v)-1, 0)), int32(v)-1 >= s.lowest
	}
	return b[s.prefix:], int(max(length, 0)), length >= s.lowest
}

// skimTags walks over a tag section.
func skimTags(b []byte) ([]byte, bool) {
	n, size := uvarint32(b)
	b = b[size:]
	if size == 0 || int64(n) > int64(len(b)/2) { // a tag is its key and its length at least
		return nil, false
	}
	for ; n > 0; n-- {
		_, size := uvarint32(b)
		length, more := uvarint32(b[size:])
		b = b[size+more:]
		if size == 0 || more == 0 || int64(length) > int64(len(b)) {
			return nil, false
		}
		b = b[length:]
	}
	return b, true
}

// uvarint32 reads a varint of at most 32 bits and five bytes, as kmsg takes them; size 0 says that there is none.
func uvarint32(b []byte) (v uint32, size int) {
	if len(b) > 0 && b[0] < 0x80 { // nearly all
		return uint32(b[0]), 1
	}
	wide, size := binary.Uvarint(b[:min(len(b), binary.MaxVarintLen32)])
	if size <= 0 || wide > math.MaxUint32 {
		return 0, 0
	}
	return uint32(wide), size
}
