package commitlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crcAt is where in a batch the bytes begin that its checksum covers.
const crcAt = 21

// walker goes from batch to batch through a segment file by their headers.
type walker struct {
	f     io.ReaderAt
	path  string
	pos   int64  // where the next batch begins
	limit int64  // nothing at or behind it is looked at
	buf   []byte // window over the file
	from  int64  // where the window begins
	n     int    // bytes in it
}

var walkBuffers = sync.Pool{New: func() any { b := make([]byte, 8<<10); return &b }}

// walkOver calls f with a walker over a pooled window.
func walkOver(r io.ReaderAt, path string, pos, limit int64, f func(*walker) error) error {
	b := walkBuffers.Get().(*[]byte)
	defer walkBuffers.Put(b)
	return f(&walker{f: r, path: path, pos: pos, limit: limit, buf: *b})
}

// next is the header of the batch at pos, and moves pos behind it. io.EOF says
// that limit is reached; *damage that no sound batch begins at pos, which then
// stays; *StorageError that the file cannot be read.
func (w *walker) next() (record.Header, error) {
	left := w.limit - w.pos
	if left <= 0 {
		return record.Header{}, io.EOF
	}
	b, err := w.window(min(left, record.HeaderSize))
	if err != nil {
		return record.Header{}, err
	}
	h, err := parse(b, left)
	if err != nil {
		return h, err
	}
	w.pos += int64(h.Size())
	return h, nil
}

// parse reads a header out of b, the head of a batch of which at most left bytes
// are there.
func parse(b []byte, left int64) (record.Header, error) {
	if len(b) == 0 {
		return record.Header{}, damaged("the file ends %d bytes early", left)
	}
	if zeros(b) {
		return record.Header{}, damaged("zeros")
	}
	if len(b) < record.HeaderSize {
		return record.Header{}, damaged("torn batch header, %d of %d bytes", len(b), record.HeaderSize)
	}
	if b[16] != 2 {
		return record.Header{}, damaged("bad magic %d", int8(b[16]))
	}
	if n := int32(binary.BigEndian.Uint32(b[8:])); n < record.HeaderSize-12 {
		return record.Header{}, damaged("bad length %d", n)
	}
	h, err := record.ParseHeader(b)
	switch {
	case err != nil:
		return h, damaged("%v", err)
	case int64(h.Size()) > left:
		return h, damaged("torn batch, %d of %d bytes", left, h.Size())
	case h.BaseOffset < 0 || h.LastOffsetDelta < 0:
		return h, damaged("bad offsets %d to %d", h.BaseOffset, h.LastOffset())
	}
	return h, nil
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// window makes the n bytes from pos on visible; a file that is shorter than it
// should be gives fewer.
func (w *walker) window(n int64) ([]byte, error) {
	if w.pos < w.from || w.pos+n > w.from+int64(w.n) {
		w.from = w.pos
		var err error
		w.n, err = w.f.ReadAt(w.buf[:min(int64(len(w.buf)), w.limit-w.pos)], w.pos)
		if err != nil && !errors.Is(err, io.EOF) {
			w.n = 0
			return nil, &StorageError{Op: "reading", Path: w.path, Position: w.pos, Err: err}
		}
	}
	at := w.pos - w.from
	return w.buf[at:min(at+n, int64(w.n))], nil
}

// checksum reads the batch at pos again and compares its checksum; pos and the
// window move over it.
func (w *walker) checksum(h record.Header, pos int64) error {
	end := pos + int64(h.Size())
	var sum uint32
	for w.pos = pos + crcAt; w.pos < end; {
		b, err := w.window(min(end-w.pos, int64(len(w.buf))))
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return damaged("torn batch, %d of %d bytes", w.pos-pos, h.Size())
		}
		sum = crc32.Update(sum, castagnoli, b)
		w.pos += int64(len(b))
	}
	if sum != h.CRC {
		return damaged("bad CRC")
	}
	return nil
}
