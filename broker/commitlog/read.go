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
	Next     record.Offset // the offset behind its last batch; the one asked for when Length is 0
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

// Marks are what a reader must know of a log, as of one moment.
type Marks struct {
	Start  record.Offset // the first offset that may be read
	Stable record.Offset // see LastStable
	High   record.Offset // see HighWatermark; never below Stable
	Err    error         // see Err
}

// Marks is how far the log may be read now.
func (l *Log) Marks() Marks {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Marks{Start: l.mu.start, Stable: l.stableLocked(), High: l.mu.high, Err: l.mu.err}
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
		r, err := l.reach(from, at, committed)
		if err != nil {
			return nil, fmt.Errorf("reading %s from offset %d: %w", l.name, from, err)
		}
		if r.file == nil {
			return &Span{Next: from}, nil
		}
		var span *Span
		if err = r.fence(from); err == nil {
			span, err = r.span(from, maxBytes)
		}
		if err == nil {
			return span, nil
		} else if err == io.EOF && r.fenced != nil {
			err = r.fenced.refusal()
		}
		r.file.release()
		switch {
		case err == io.EOF && r.next < 0:
			return &Span{Next: from}, nil
		case err == io.EOF && !l.stamps.gap(from, r.next):
			return nil, fmt.Errorf("reading %s from offset %d: %w", l.name, from, l.missing(r.segment, from, r.next))
		case err == io.EOF:
			at = r.next // a gap at the segment's end: what holds this offset has what follows
		case errors.Is(err, errGone):
			at = from // retention, compaction or Close was quicker: look again
		default:
			return nil, fmt.Errorf("reading %s from offset %d: %w", l.name, from, err)
		}
	}
}

// reach is how far a reader may go in one segment.
type reach struct {
	segment *segment
	file    *handle       // of the segment; nil: nothing there may be read yet
	limit   int64         // position up to which it may be read
	stable  record.Offset // below it a reader of committed records must stay; -1: it may have all
	next    record.Offset // where the next segment begins that may be read; -1: it is the last
	high    record.Offset // the offset behind all that may be read
	fenced  *Damage       // what begins at limit; nil: nothing that is known
}

// span is the batches of a segment; io.EOF: there are none at or behind from.
func (r *reach) span(from record.Offset, maxBytes int) (*Span, error) {
	if r.stable >= 0 {
		var err error
		if r.limit, err = r.segment.limitAt(r.file, r.stable, r.limit); err != nil {
			return nil, err
		}
	}
	span, err := r.segment.span(r.file, from, r.limit, maxBytes)
	if err != nil {
		return nil, err
	}
	span.More = r.next >= 0 || span.Position+int64(span.Length) < r.limit
	switch {
	case span.Next >= 0:
	case r.fenced != nil && span.Position+int64(span.Length) == r.fenced.Position:
		span.Next, span.More = r.fenced.From, true
	case r.next >= 0:
		span.Next = r.next
	default:
		span.Next = r.high
	}
	return span, nil
}

// span is the batches of one segment; io.EOF: there are none at or behind from. Next is
// -1 when they are all.
func (s *segment) span(f *handle, from record.Offset, limit int64, maxBytes int) (*Span, error) {
	pos, h, err := s.find(f, from, limit)
	if err != nil {
		return nil, err
	}
	n, behind, err := s.extent(f, pos, h, limit, maxBytes)
	if _, bad := asDamage(err); err != nil && !bad {
		return nil, err
	}
	// It ends before the first batch that cannot be trusted; who asks for that one is refused.
	switch end, next, cerr := s.checkChain(f, pos, pos+int64(n), -1); { // find has looked at the first
	case cerr == nil:
	case next < 0 || !errors.Is(cerr, ErrDamaged):
		return nil, cerr
	default:
		n, behind = int(end-pos), next
	}
	return &Span{File: f.OS(), Position: pos, Length: n, Base: h.BaseOffset, Next: behind, handle: f}, nil
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

// reach is, for a reader from an offset on, the segment that holds offset at, opened,
// and how far it may be read.
func (l *Log) reach(from, at record.Offset, committed bool) (reach, error) {
	none := reach{stable: -1, next: -1}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.err == ErrClosed {
		return none, ErrClosed
	}
	if from < l.mu.start || from > l.mu.end {
		return none, fmt.Errorf("the log holds %d to %d: %w", l.mu.start, l.mu.end, ErrOffsetOutOfRange)
	}
	r := none
	r.high = l.mu.high
	if committed {
		if r.high = l.stableLocked(); r.high < l.mu.high {
			r.stable = r.high
		}
	}
	if from >= r.high {
		return none, nil
	}
	i := sort.Search(len(l.mu.segments), func(i int) bool { return l.mu.segments[i].base > at }) - 1
	i = max(i, 0)
	s := l.mu.segments[i]
	// One before the durable end that holds nothing has lost it, which the caller finds.
	if r.limit = l.limitLocked(s); r.limit == 0 && s.base >= l.mu.durable.segment.base || r.stable >= 0 && s.base >= r.stable {
		return none, nil
	}
	if i+1 < len(l.mu.segments) && s != l.mu.durable.segment {
		r.next = l.mu.segments[i+1].base
	}
	if r.stable >= 0 && r.next >= 0 && r.next < r.stable {
		r.stable = -1 // all of it
	} else if r.stable >= 0 {
		r.next = -1
	}
	var err error
	r.segment = s
	r.file, err = s.acquire()
	return r, err
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
