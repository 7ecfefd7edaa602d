package record

import (
	"fmt"
	"io"
	"math"

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

// Level is how hard a codec tries, in Kafka's numbers, which mean something else with each codec.
type Level int

// Fast is the Level of every codec that takes the least time.
const Fast Level = math.MinInt32

// compressor keeps one encoder a codec, made when first used or when another level is asked for; for one goroutine.
type compressor struct {
	gzip  *gzip.Writer
	lz4   *lz4.Writer
	zstd  *zstd.Encoder
	level [len(codecNames)]Level // of the encoders that there are
}

// appender lets a stream encoder write onto the end of a slice.
type appender struct{ b []byte }

// Write appends p; it never fails.
func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// compress appends src, encoded by codec, to dst. Snappy is one raw block, which every Kafka client reads, and has no
// levels; LZ4 is a frame of independent blocks, as Kafka asks.
func (c *compressor) compress(dst, src []byte, codec Codec, level Level) ([]byte, error) {
	if codec < None || int(codec) >= len(codecNames) {
		return dst, fmt.Errorf("%s: %w", codec, ErrCodec)
	}
	same := c.level[codec] == level
	c.level[codec] = level
	var err error
	switch codec {
	case Snappy:
		return appendSnappy(dst, src), nil
	case Zstd:
		if c.zstd == nil || !same {
			if c.zstd, err = newZstd(level); err != nil {
				return dst, err
			}
		}
		return c.zstd.EncodeAll(src, dst), nil
	case Gzip:
		if c.gzip == nil || !same {
			if c.gzip, err = newGzip(level); err != nil {
				return dst, err
			}
		}
		return writeAll(c.gzip, dst, src)
	case Lz4:
		if c.lz4 == nil || !same {
			if c.lz4, err = newLZ4(level); err != nil {
				return dst, err
			}
		}
		return writeAll(c.lz4, dst, src)
	}
	return append(dst, src...), nil
}

// newGzip takes -1 for zlib's own default, and 0 to 9.
func newGzip(level Level) (*gzip.Writer, error) {
	if level == Fast {
		level = gzip.BestSpeed
	}
	return gzip.NewWriterLevel(nil, int(level))
}

// newZstd takes zstd's levels, of which this encoder tells four apart.
func newZstd(level Level) (*zstd.Encoder, error) {
	speed := zstd.SpeedFastest
	if level != Fast {
		speed = zstd.EncoderLevelFromZstd(int(level))
	}
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1))
}

// newLZ4 takes 1 to 17: 9 is Kafka's word for the fast encoder, all else are levels of the slow one, which ends at 9 here.
func newLZ4(level Level) (*lz4.Writer, error) {
	effort := lz4.Fast
	if level != Fast && level != 9 {
		effort = lz4.CompressionLevel(1 << (8 + max(1, min(level, 9))))
	}
	w := lz4.NewWriter(nil)
	return w, w.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ConcurrencyOption(1), lz4.CompressionLevelOption(effort))
}

// streamEncoder is an encoder that can begin anew.
type streamEncoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// writeAll appends src, encoded by w, to dst. W keeps nothing of either.
func writeAll(w streamEncoder, dst, src []byte) ([]byte, error) {
	out := &appender{dst}
	w.Reset(out)
	_, err := w.Write(src)
	if err == nil {
		err = w.Close()
	}
	dst, out.b = out.b, nil
	return dst, err
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
