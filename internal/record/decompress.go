package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ErrCodec says that a batch names a codec that Kafka does not have.
var ErrCodec = errors.New("unknown codec")

// ErrTooLarge says that a batch decompresses to more than the reader's limit.
var ErrTooLarge = errors.New("record batch decompresses to more than the limit")

// decompressor keeps one decoder a codec and the buffer they write to; for one
// goroutine.
type decompressor struct {
	buf     []byte
	src     bytes.Reader
	patched []byte // header of an LZ4 frame, put right
	gzip    *gzip.Reader
	lz4     *lz4.Reader
	zstd    *zstd.Decoder
	zlimit  int
}

// decompress returns the records of one batch: src itself for None, else the
// decompressor's own buffer, valid until the next call. It never holds more than
// limit bytes.
func (d *decompressor) decompress(src []byte, codec Codec, limit int) ([]byte, error) {
	d.buf = d.buf[:0]
	switch codec {
	case None:
		if len(src) > limit {
			return nil, ErrTooLarge
		}
		return src, nil
	case Snappy:
		return d.snappy(src, limit)
	case Gzip:
		d.src.Reset(src)
		if d.gzip == nil {
			r, err := gzip.NewReader(&d.src)
			if err != nil {
				return nil, err
			}
			d.gzip = r
		} else if err := d.gzip.Reset(&d.src); err != nil {
			return nil, err
		}
		return d.drain(d.gzip, limit)
	case Lz4:
		at, err := lz4HeaderSum(src)
		if err != nil {
			return nil, err
		}
		d.patched = d.patched[:0]
		d.src.Reset(src[:lz4End(src, at)])
		return d.lz4Frame(limit)
	case Zstd:
		return d.zstandard(src, limit)
	}
	return nil, fmt.Errorf("%s: %w", codec, ErrCodec)
}

// A buffer that has to grow beyond mediumBuffer has largeBuffer bytes next.
const (
	mediumBuffer = 8 << 20
	largeBuffer  = 64<<20 + 1
)

// drain reads r to its end into the buffer.
func (d *decompressor) drain(r io.Reader, limit int) ([]byte, error) {
	for {
		if len(d.buf) == cap(d.buf) {
			size := max(2*cap(d.buf), 64<<10)
			if size > mediumBuffer {
				size = max(size, largeBuffer) // once, instead of leaving ever larger ones behind
			}
			grown := make([]byte, len(d.buf), min(size, limit+1))
			copy(grown, d.buf)
			d.buf = grown
		}
		n, err := r.Read(d.buf[len(d.buf):cap(d.buf)])
		d.buf = d.buf[:len(d.buf)+n]
		if len(d.buf) > limit {
			return nil, ErrTooLarge
		}
		if err == io.EOF {
			return d.buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// lz4Frame reads the frame that begins in patched and goes on in src.
func (d *decompressor) lz4Frame(limit int) ([]byte, error) {
	var src io.Reader = &d.src
	if len(d.patched) > 0 {
		src = io.MultiReader(bytes.NewReader(d.patched), &d.src)
	}
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(src)
	} else {
		d.lz4.Reset(src)
	}
	return d.drain(d.lz4, limit)
}

func (d *decompressor) zstandard(src []byte, limit int) ([]byte, error) {
	if d.zstd == nil || d.zlimit != limit {
		if d.zstd != nil {
			d.zstd.Close()
		}
		// Encoders announce windows of up to 8 MiB even for little content, so the
		// decoder's own bound is not set below that; the limit is checked after it.
		bound := uint64(max(limit, 8<<20))
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(bound))
		if err != nil {
			return nil, err
		}
		d.zstd, d.zlimit = dec, limit
	}
	out, err := d.zstd.DecodeAll(src, d.buf)
	if cap(out) > cap(d.buf) {
		d.buf = out[:0] // also when it failed: the next one need not grow anew
	}
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) || (err == nil && len(out) > limit) {
		return nil, ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	d.buf = out
	return out, nil
}

// snappy reads one raw block, or snappy-java's stream of blocks (each with its
// length before it), which Java producers send.
func (d *decompressor) snappy(src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return d.block(src, limit)
	}
	if len(src) < 16 {
		return nil, ErrShort
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, ErrShort
		}
		n := binary.BigEndian.Uint32(src)
		if n > math.MaxInt32 || int(n) > len(src)-4 {
			return nil, ErrShort
		}
		if _, err := d.block(src[4:4+n], limit); err != nil {
			return nil, err
		}
		src = src[4+n:]
	}
	return d.buf, nil
}

// block appends one raw snappy block to the buffer.
func (d *decompressor) block(src []byte, limit int) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return nil, err
	}
	at := len(d.buf)
	if n > limit-at {
		return nil, ErrTooLarge
	}
	if cap(d.buf)-at < n {
		grown := make([]byte, at, max(at+n, min(2*cap(d.buf), limit)))
		copy(grown, d.buf)
		d.buf = grown
	}
	out, err := s2.Decode(d.buf[at:at+n], src)
	if err != nil {
		return nil, err
	}
	d.buf = d.buf[:at+len(out)]
	return d.buf, nil
}
