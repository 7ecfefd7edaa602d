package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/loghaul/loghaul/internal/record"
)

// Span is a run of whole stored batches in one segment file. File stays readable
// until Release, even when retention unlinks it meanwhile; nothing of a Span is
// ever truncated. Use explicit positions, the file's own is shared.
type Span struct {
	File     *os.File      // nil when Length is 0
	Position int64         // byte in File at which the first batch begins
	Length   int           // bytes; 0: nothing to read yet
	Base     record.Offset // first offset of the first batch, at most the one asked for unless a gap follows it
	More     bool          // durable batches follow it, or a newer segment has been begun
	handle   *handle
}

// Release gives the file back; the Span is not to be used afterwards. It is for
// one goroutine, and releasing twice does nothing.
func (s *Span) Release() {
	if s.handle != nil {
		s.handle.release()
		s.handle, s.File, s.Length = nil, nil, 0
	}
}

// AppendTo appends the batches' bytes to dst: the way without sendfile.
func (s *Span) AppendTo(dst []byte) ([]byte, error) {
	if s.Length == 0 {
		return dst, nil
	}
	at := len(dst)
	dst = append(dst, make([]byte, s.Length)...)
	if _, err := s.handle.ReadAt(dst[at:], s.Position); err != nil {
		return dst[:at], &StorageError{Op: "reading", Path: s.File.Name(), Position: s.Position, Err: err}
	}
	return dst, nil
}

// Read is the stored batches from the one that holds from on, up to the high
// watermark: at most maxBytes, but one whole batch at least, and never past the
// end of a segment. From may be the end itself: the Span is empty then.
// ErrOffsetOutOfRange: from lies before Start or behind End. *StorageError: the
// file cannot be read or is damaged there. It waits for no append and no sync.
func (l *Log) Read(from record.Offset, maxBytes int) (*Span, error) {
	return l.read(from, maxBytes, false)
}

// ReadCommitted is Read up to LastStable: behind it every record's transaction is
// still open. Records of aborted transactions are among what it gives, see Aborted.
func (l *Log) ReadCommitted(from record.Offset, maxBytes int) (*Span, error) {
	return l.read(from, maxBytes, true)
}

func (l *Log) read(from record.Offset, maxBytes int, committed bool) (*Span, error) {
	at := from
	for {
		s, limit, stable, next, f, err := l.readable(from, at, committed)
		if err != nil {
			return nil, fmt.Errorf("reading %s from offset %d: %w", l.name, from, err)
		}
		if f == nil {
			return &Span{}, nil
		}
		if stable >= 0 {
			limit, err = s.limitAt(f, stable, limit)
		}
		var span *Span
		if err == nil {
			span, err = s.span(f, from, limit, maxBytes)
		}
		if err == nil {
			span.More = next >= 0 || span.Position+int64(span.Length) < limit
			return span, nil
		}
		f.release()
		switch {
		case err == io.EOF && next < 0:
			return &Span{}, nil
		case err == io.EOF:
			at = next // a gap at the segment's end: what holds this offset has what follows
		case errors.Is(err, errGone):
			at = from // retention, compaction or Close was quicker: look again
		default:
			return nil, fmt.Errorf("reading %s from offset %d: %w", l.name, from, err)
		}
	}
}

// span is the batches of one segment; io.EOF: there are none at or behind from.
func (s *segment) span(f *handle, from record.Offset, limit int64, maxBytes int) (*Span, error) {
	pos, h, err := s.find(f, from, limit)
	if err != nil {
		return nil, err
	}
	n, err := s.extent(f, pos, h, limit, maxBytes)
	if err != nil {
		return nil, err
	}
	return &Span{File: f.os(), Position: pos, Length: n, Base: h.BaseOffset, handle: f}, nil
}

// limitAt is where in a segment the batch begins that holds stable, which is below
// the end of its batches, or limit if it lies behind them.
func (s *segment) limitAt(f *handle, stable record.Offset, limit int64) (int64, error) {
	pos, _, err := s.find(f, stable, limit)
	if err == io.EOF {
		return limit, nil
	}
	return pos, err
}

// readable is, for a reader from an offset on, the segment that holds offset at,
// opened, how far it may be read, the offset below which a reader of committed
// records must stay in it (-1: it may have all), and where the next one begins that
// may be read (-1: it is the last); no handle: nothing there may be read yet.
func (l *Log) readable(from, at record.Offset, committed bool) (s *segment, limit int64, stable, next record.Offset, f *handle, err error) {
	stable, next = -1, -1
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.err == ErrClosed {
		return nil, 0, stable, next, nil, ErrClosed
	}
	if from < l.mu.start || from > l.mu.end {
		return nil, 0, stable, next, nil, fmt.Errorf("the log holds %d to %d: %w", l.mu.start, l.mu.end, ErrOffsetOutOfRange)
	}
	i := sort.Search(len(l.mu.segments), func(i int) bool { return l.mu.segments[i].base > at }) - 1
	high := l.mu.high
	if committed {
		if high = l.stableLocked(); high < l.mu.high {
			stable = high
		}
	}
	if from >= high {
		return nil, 0, stable, next, nil, nil
	}
	i = max(i, 0)
	s = l.mu.segments[i]
	if limit = l.limitLocked(s); limit == 0 || stable >= 0 && s.base >= stable {
		return nil, 0, stable, next, nil, nil
	}
	if i+1 < len(l.mu.segments) && s != l.mu.durable.segment {
		next = l.mu.segments[i+1].base
	}
	if stable >= 0 && next >= 0 && next < stable {
		stable = -1 // all of it
	} else if stable >= 0 {
		next = -1
	}
	f, err = s.acquire()
	return s, limit, stable, next, f, err
}

// limitLocked is how far a segment may be read; the caller holds mu.
func (l *Log) limitLocked(s *segment) int64 {
	switch d := l.mu.durable; {
	case s == d.segment:
		return d.position
	case s.base < d.segment.base:
		return s.size
	}
	return 0
}
