package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoder gives the bytes of all members or frames of an archive, one after the other.
type decoder interface {
	io.Reader
	close()
}

var errTrailing = errors.New("what follows its last whole member is not compressed")

// open makes the decoder of an archive. It starts no goroutine.
func open(format Format, src io.ReaderAt) (decoder, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(src, 0, math.MaxInt64), 64<<10)
	if format == Gzip {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		return &members{z: z, in: in}, nil
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(windowMost))
	if err != nil {
		return nil, err
	}
	return frames{z}, nil
}

// members are those of a gzip file, which may have been put behind each other.
type members struct {
	z  *gzip.Reader
	in *bufio.Reader
}

func (m *members) Read(b []byte) (int, error) {
	for {
		n, err := m.z.Read(b)
		if n > 0 && err == io.EOF {
			return n, nil // and again at the next call
		}
		if err != io.EOF {
			return n, err
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// next goes on to the next member; io.EOF: there is none, or only the zeros that some
// media fill blocks up with.
func (m *members) next() error {
	first, err := m.in.Peek(1)
	if err != nil {
		return err
	}
	if first[0] == 0x1f {
		if err := m.z.Reset(m.in); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		m.z.Multistream(false)
		return nil
	}
	for {
		c, err := m.in.ReadByte()
		if err != nil {
			return err
		}
		if c != 0 {
			return errTrailing
		}
	}
}

func (m *members) close() { m.z.Close() }

type frames struct{ *zstd.Decoder }

func (f frames) close() { f.Decoder.Close() }

// Damage is what is wrong with an archive, and where.
type Damage struct {
	Name string
	At   int64 // in the bytes that the archive was made from: those before it were read
	Cut  bool  // it ends too early; somebody may still be writing it
	Err  error
}

func (d *Damage) Error() string {
	what := "is damaged"
	if d.Cut {
		what = "ends too early"
	}
	return fmt.Sprintf("the archive %s %s behind byte %d of what it holds: %v", d.Name, what, d.At, d.Err)
}

func (d *Damage) Unwrap() error { return d.Err }

// damage makes a Damage of what a decoder says.
func damage(name string, at int64, err error) *Damage {
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = fmt.Errorf("its window is larger than %d MiB, which is what is kept in memory: compress without --long: %w", windowMost>>20, err)
	case errors.Is(err, io.EOF): // in the middle of a header
		err = io.ErrUnexpectedEOF
	}
	return &Damage{Name: name, At: at, Cut: errors.Is(err, io.ErrUnexpectedEOF), Err: err}
}
