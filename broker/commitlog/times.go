package commitlog

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
)

// maxBatchBytes bounds what a time lookup decompresses of one batch; behind it the
// batch's own first offset is the answer.
const maxBatchBytes = 256 << 20

// errFound ends a walk through records.
var errFound = errors.New("found")

// OffsetForTime is the first record, in offset order, whose time is ms or later,
// and its time; -1, -1: there is none below the high watermark. Times are
// milliseconds since 1970. A transaction's marker counts as a record, as in Kafka.
func (l *Log) OffsetForTime(ms int64) (at record.Offset, t int64, err error) {
	for {
		if at, t, err = l.offsetForTime(ms); !errors.Is(err, errGone) {
			return at, t, err
		}
	}
}

func (l *Log) offsetForTime(ms int64) (record.Offset, int64, error) {
	segments, start, high, err := l.durableSegments()
	if err != nil {
		return -1, -1, l.lookup(err, ms)
	}
	for _, s := range segments {
		if at, t, err := l.inSegment(s, ms, start, high); err != nil || at >= 0 {
			return at, t, l.lookup(err, ms)
		}
	}
	return -1, -1, nil
}

func (l *Log) lookup(err error, ms int64) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("looking for time %d in %s: %w", ms, l.name, err)
}

// durableSegments is what may be read now.
func (l *Log) durableSegments() ([]*segment, record.Offset, record.Offset, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.err == ErrClosed {
		return nil, 0, 0, ErrClosed
	}
	n := 0
	for n < len(l.mu.segments) && (l.limitLocked(l.mu.segments[n]) > 0 || l.mu.segments[n].base < l.mu.durable.segment.base) {
		n++
	}
	return l.mu.segments[:n], l.mu.start, l.mu.high, nil
}

// inSegment is the first record of a segment, within start and high, at or after
// ms; -1, -1: there is none.
func (l *Log) inSegment(s *segment, ms int64, start, high record.Offset) (record.Offset, int64, error) {
	latest, err := l.latestTime(s)
	if err != nil || latest < ms {
		return -1, -1, err
	}
	from := s.base
	switch e, ok, err := s.byTime(ms, high); {
	case err != nil:
		return -1, -1, err
	case ok && l.timeFits(s, e):
		from = s.base + e.last
	case ok:
		if err := l.rebuild(s); err != nil {
			return -1, -1, err
		}
		if e, ok, err := s.byTime(ms, high); err == nil && ok {
			from = s.base + e.last
		}
	}
	found, at := record.Offset(-1), int64(-1)
	reader := readers.Get().(*record.Reader)
	defer readers.Put(reader)
	err = l.walkDurable(s, max(from, start), func(f *handle, pos int64, h record.Header) error {
		if h.BaseOffset >= high {
			return errFound
		}
		if h.MaxTimestamp < ms {
			return nil
		}
		found, at, err = s.inBatch(reader, f, pos, h, ms, start)
		if err == nil && found >= 0 {
			err = errFound
		}
		return err
	})
	return found, at, err
}

// readers keeps what a lookup unpacks into for the next: it may be large.
var readers = sync.Pool{New: func() any { return new(record.Reader) }}

// inBatch is the first record of a batch at or after both ms and start.
func (s *segment) inBatch(r *record.Reader, f *handle, pos int64, h record.Header, ms int64, start record.Offset) (record.Offset, int64, error) {
	found, at := record.Offset(-1), int64(-1)
	err := s.records(r, f, pos, h, func(rec *record.Record) error {
		if rec.Timestamp >= ms && rec.Offset >= start {
			found, at = rec.Offset, rec.Timestamp
			return errFound
		}
		return nil
	})
	if errors.Is(err, record.ErrTooLarge) {
		return max(h.BaseOffset, start), h.MaxTimestamp, nil
	}
	return found, at, err
}

// records calls f with each record of the batch at pos until f returns errFound.
func (s *segment) records(r *record.Reader, f *handle, pos int64, h record.Header, each func(*record.Record) error) error {
	b := make([]byte, h.Size())
	_, err := f.ReadAt(b, pos)
	if err == nil {
		err = r.Read(b, maxBatchBytes, each)
	}
	if err == nil || err == errFound {
		return nil
	}
	return &StorageError{Op: "reading", Path: s.path(logSuffix), Position: pos, Err: err}
}

// walkDurable calls f with each batch of a segment that may be read, from the one
// that holds from on, until f returns errFound.
func (l *Log) walkDurable(s *segment, from record.Offset, f func(h *handle, pos int64, hdr record.Header) error) error {
	l.mu.RLock()
	limit := l.limitLocked(s)
	h, err := s.acquire()
	l.mu.RUnlock()
	if err != nil {
		return err
	}
	defer h.release()
	pos := int64(0)
	if from > s.base {
		if pos, _, err = s.find(h, from, limit); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return s.walkSound(pos, limit, l.Start(), f) // what was given up is in nobody's way
}

// walk calls f with each batch of a segment between two positions until f returns
// errFound.
func (s *segment) walk(pos, limit int64, f func(h *handle, pos int64, hdr record.Header) error) error {
	return s.walkSound(pos, limit, nothing, f)
}
