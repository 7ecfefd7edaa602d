package record

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/klauspost/compress/s2"
)

// Formats 0 and 1 have habits of their own in two codecs. Snappy is always snappy-java's stream: old readers know no other.
// And the first Kafka computed the checksum in an LZ4 frame's header over the magic number too, so that is what readers of
// format 0 expect (KIP-57); writers of format 0 had it either way.

// decompressOld is decompress for the value of a wrapper.
func (d *decompressor) decompressOld(src []byte, codec Codec, magic int8, limit int) ([]byte, error) {
	if codec != Lz4 || magic != 0 {
		return d.decompress(src, codec, limit)
	}
	at, err := lz4HeaderSum(src)
	if err != nil {
		return nil, err
	}
	// The reader knows the right checksum only; a copy, since the set is not ours to change.
	d.patched = append(append(d.patched[:0], src[:at]...), lz4Sum(src[4:at]))
	d.src.Reset(src[at+1 : lz4End(src, at)])
	d.buf = d.buf[:0]
	return d.lz4Frame(limit)
}

// compressOld is compress for the value of a wrapper.
func (c *compressor) compressOld(dst, src []byte, codec Codec, magic int8) ([]byte, error) {
	switch {
	case codec == Snappy:
		return appendXerial(dst, src), nil
	case codec == Lz4 && magic == 0:
		head := len(dst)
		out, err := c.compress(dst, src, codec, Fast)
		if err != nil {
			return dst, err
		}
		at, err := lz4HeaderSum(out[head:])
		if err != nil {
			return dst, err
		}
		out[head+at] = lz4Sum(out[head : head+at])
		return out, nil
	}
	return c.compress(dst, src, codec, Fast)
}

// xerialBlock is how many bytes snappy-java packs at a time.
const xerialBlock = 32 << 10

// appendXerial encodes src as snappy-java's stream.
func appendXerial(dst, src []byte) []byte {
	dst = append(dst, xerial...)
	dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 1) // its version, and the lowest that can read it
	for len(src) > 0 {
		n := min(len(src), xerialBlock)
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		dst = append(dst, make([]byte, s2.MaxEncodedLen(n))...)
		block := s2.EncodeSnappy(dst[at+4:], src[:n])
		binary.BigEndian.PutUint32(dst[at:], uint32(len(block)))
		dst, src = dst[:at+4+len(block)], src[n:]
	}
	return dst
}

// lz4HeaderSum is where in an LZ4 frame the checksum of its header stands; ErrFormat: no client of Kafka reads it.
//
//	| magic number 4 | flags 1 | block size 1 | content size 8, if flagged | dictionary 4, if flagged | checksum 1 |
func lz4HeaderSum(frame []byte) (int, error) {
	if len(frame) < 7 || binary.LittleEndian.Uint32(frame) != 0x184d2204 {
		return 0, fmt.Errorf("%w: no LZ4 frame", ErrFormat)
	}
	if frame[4]&0x20 == 0 {
		return 0, fmt.Errorf("%w: LZ4 blocks that depend on each other, which Kafka does not read", ErrFormat)
	}
	at := 6
	if frame[4]&0x08 != 0 {
		at += 8
	}
	if frame[4]&0x01 != 0 {
		at += 4
	}
	if len(frame) <= at {
		return 0, fmt.Errorf("%w: an LZ4 frame of %d bytes", ErrFormat, len(frame))
	}
	return at, nil
}

// lz4End is where an LZ4 frame ends whose header's checksum stands at sum: Kafka's clients read one frame, and whoever reads
// what follows it too would take records that they never see. A frame that is cut ends with its bytes.
//
//	| header | size 4, highest bit: not packed | block | checksum 4, if flagged | ... | 0, 4 bytes | checksum 4, if flagged |
func lz4End(frame []byte, sum int) int {
	extra := 4 * int(frame[4]>>4&1)
	for at := sum + 1; at+4 <= len(frame); {
		size := int(binary.LittleEndian.Uint32(frame[at:]) & 0x7fffffff)
		if at += 4; size == 0 {
			return min(len(frame), at+4*int(frame[4]>>2&1))
		}
		if size > len(frame)-at-extra {
			break
		}
		at += size + extra
	}
	return len(frame)
}

// lz4Sum is the checksum of an LZ4 frame's header: a byte of xxHash-32, here of up to 15 bytes.
func lz4Sum(b []byte) byte {
	const p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h := uint32(p5) + uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*p3, 17) * p4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*p5, 11) * p1
	}
	h = (h ^ h>>15) * p2
	h = (h ^ h>>13) * p3
	return byte((h ^ h>>16) >> 8)
}
