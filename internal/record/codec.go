package record

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is how a batch's records are compressed; its number is Kafka's.
type Codec int8

// The codecs of Kafka's compression.type.
const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	Lz4    Codec = 3
	Zstd   Codec = 4
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// String is the codec's name in Kafka's settings.
func (c Codec) String() string {
	if c < 0 || int(c) >= len(codecNames) {
		return fmt.Sprintf("codec(%d)", int8(c))
	}
	return codecNames[c]
}

// ParseCodec finds a codec by its name in Kafka's settings.
func ParseCodec(name string) (Codec, error) {
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("compression %q is unknown: use none, gzip, snappy, lz4 or zstd", name)
}

// compressor keeps one encoder a codec, made when first used; for one goroutine.
type compressor struct {
	gzip *gzip.Writer
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// appender lets a stream encoder write onto the end of a slice.
type appender struct{ b []byte }

// Write appends p; it never fails.
func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// compress appends src, encoded by codec, to dst. Snappy is one raw block, which
// every Kafka client reads; LZ4 is a frame of independent blocks, as Kafka asks.
func (c *compressor) compress(dst, src []byte, codec Codec) ([]byte, error) {
	switch codec {
	case None:
		return append(dst, src...), nil
	case Snappy:
		return appendSnappy(dst, src), nil
	case Zstd:
		if c.zstd == nil {
			var err error
			if c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
				return dst, err
			}
		}
		return c.zstd.EncodeAll(src, dst), nil
	case Gzip:
		if c.gzip == nil {
			c.gzip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed)
		}
		out := &appender{dst}
		c.gzip.Reset(out)
		return writeAll(c.gzip, out, src)
	case Lz4:
		if c.lz4 == nil {
			c.lz4 = lz4.NewWriter(nil)
			if err := c.lz4.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ConcurrencyOption(1)); err != nil {
				return dst, err
			}
		}
		out := &appender{dst}
		c.lz4.Reset(out)
		return writeAll(c.lz4, out, src)
	}
	return dst, fmt.Errorf("%s: %w", codec, ErrCodec)
}

func writeAll(w io.WriteCloser, out *appender, src []byte) ([]byte, error) {
	if _, err := w.Write(src); err != nil {
		return out.b, err
	}
	err := w.Close()
	return out.b, err
}

// appendSnappy encodes into the free room behind dst, so that no second buffer
// is needed.
func appendSnappy(dst, src []byte) []byte {
	need := s2.MaxEncodedLen(len(src))
	at := len(dst)
	if cap(dst)-at < need {
		grown := make([]byte, at, at+need)
		copy(grown, dst)
		dst = grown
	}
	out := s2.EncodeSnappy(dst[at:at+need], src)
	return dst[:at+len(out)]
}

// xerial is how snappy-java's stream begins: magic, version, lowest version.
var xerial = []byte("\x82SNAPPY\x00")
