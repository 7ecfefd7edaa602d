package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/loghaul/loghaul/internal/record"
)

// AbortedTxn is a transaction whose records a reader of committed records passes
// over: those of this producer from First to its marker at Last.
type AbortedTxn struct {
	ProducerID  int64
	First, Last record.Offset
}

// abortedWidth is the length of an entry of the index of aborted transactions,
// which lies in the segment that holds the marker and is ordered by it:
//
//	| version 2: 0 | producer id 8 | first offset 8 | marker 8 | last stable offset once the marker counted 8 |
const abortedWidth = 34

// abortedEntry is one of them. No entry behind it speaks of records below stable.
type abortedEntry struct {
	AbortedTxn
	stable record.Offset
}

func (e abortedEntry) bytes() []byte {
	be := binary.BigEndian
	b := be.AppendUint64(make([]byte, 2, abortedWidth), uint64(e.ProducerID))
	b = be.AppendUint64(b, uint64(e.First))
	b = be.AppendUint64(b, uint64(e.Last))
	return be.AppendUint64(b, uint64(e.stable))
}

func parseAborted(b []byte) abortedEntry {
	be := binary.BigEndian
	return abortedEntry{
		AbortedTxn{int64(be.Uint64(b[2:])), record.Offset(be.Uint64(b[10:])), record.Offset(be.Uint64(b[18:]))},
		record.Offset(be.Uint64(b[26:])),
	}
}

// sane says whether the entry can be one of segment s, behind one that ends at
// before.
func (e abortedEntry) sane(b []byte, s *segment, before record.Offset) bool {
	return b[0] == 0 && b[1] == 0 && e.ProducerID >= 0 && e.First >= 0 && e.First <= e.Last && e.Last >= s.base && e.Last > before
}

// Aborted lists the aborted transactions that have records in [from, to), ordered
// by their markers. Who asks after reading compares Start with from: what has been
// deleted meanwhile is not told of any more.
func (l *Log) Aborted(from, to record.Offset) ([]AbortedTxn, error) {
	entries, err := l.abortedEntries(from, to)
	if err != nil {
		return nil, fmt.Errorf("looking for aborted transactions in %s: %w", l.name, err)
	}
	if len(entries) == 0 {
		return nil, nil
	}
	out := make([]AbortedTxn, len(entries))
	for i := range entries {
		out[i] = entries[i].AbortedTxn
	}
	return out, nil
}

func (l *Log) abortedEntries(from, to record.Offset) ([]abortedEntry, error) {
	for {
		seen := l.rebuilt.Load()
		out, err := l.abortedIn(from, to)
		if errors.Is(err, errDoubt) {
			err = l.rebuildAborted(seen)
		} else if !errors.Is(err, errGone) {
			return out, err
		}
		if err == nil || errors.Is(err, errGone) {
			err = l.closed() // retention or compaction was quicker: look again
		}
		if err != nil {
			return nil, err
		}
	}
}

// closed is ErrClosed once the log is.
func (l *Log) closed() error {
	if err := l.Err(); err == ErrClosed {
		return err
	}
	return nil
}

func (l *Log) abortedIn(from, to record.Offset) ([]abortedEntry, error) {
	l.mu.RLock()
	segments := l.mu.segments
	l.mu.RUnlock()
	var out []abortedEntry
	i := sort.Search(len(segments), func(i int) bool { return segments[i].base > from })
	for i = max(i-1, 0); i < len(segments) && to > from; i++ {
		s := segments[i]
		if err := l.checkAborted(s); err != nil {
			return nil, err
		}
		before, done := record.Offset(-1), false
		err := s.aborted.from(func(b []byte) bool { return parseAborted(b).Last < from }, func(b []byte) error {
			e := parseAborted(b)
			if !e.sane(b, s, before) {
				return errDoubt
			}
			if before = e.Last; e.First < to {
				out = append(out, e)
			}
			if done = e.stable >= to; done {
				return errFound
			}
			return nil
		})
		if err != nil || done {
			return out, err
		}
	}
	return out, nil
}

// rebuildAborted makes the index of aborted transactions anew that does not fit, and says
// so; not when another has done it since it was seen that many times.
func (l *Log) rebuildAborted(seen int64) error {
	switch done, err := l.remakeAborted(seen); {
	case err != nil || !done:
		return err
	case l.sums.vouched():
		l.logger().Warn("the index of aborted transactions did not fit its log and was made anew", "log", l.name)
	default:
		l.logger().Info("the index of aborted transactions was made anew, as no recovery point vouched for it", "log", l.name)
	}
	return nil
}

// readmitAborted makes it anew because of files that were put back: they may hold what was
// taken back. That they are there again is said already.
func (l *Log) readmitAborted() error {
	_, err := l.remakeAborted(l.rebuilt.Load())
	l.sums.vouched()
	return err
}

// remakeAborted makes it anew, of all segments, from their batches.
func (l *Log) remakeAborted(seen int64) (done bool, err error) {
	l.rebuilding.Lock()
	defer l.rebuilding.Unlock()
	if l.rebuilt.Load() != seen {
		return false, nil
	}
	l.mu.RLock()
	segments := l.mu.segments
	known := segments[len(segments)-1].size
	l.mu.RUnlock()
	// What is there already is walked through while appends go on.
	var last []byte
	open := map[int64]record.Offset{}
	for i, s := range segments {
		limit := s.size
		if i == len(segments)-1 {
			limit = known
		}
		built, err := s.abortedFrom(open, 0, limit)
		if err != nil {
			return false, err
		}
		if last = built; i < len(segments)-1 {
			if err := l.renewAborted(s, built); err != nil {
				return false, err
			}
		}
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.RLock()
	now := l.mu.segments
	l.mu.RUnlock()
	n := len(segments)
	if len(now) < n || !slices.Equal(now[:n], segments) {
		return false, errGone // retention or compaction was quicker
	}
	for _, s := range now[n-1:] {
		built, err := s.abortedFrom(open, known, s.size)
		if err == nil {
			err = l.renewAborted(s, append(last, built...))
		}
		if err != nil {
			return false, err
		}
		last, known = nil, 0
	}
	l.rebuilt.Add(1)
	l.mu.Lock()
	l.mu.due = true // the next recovery point knows them
	l.mu.Unlock()
	return true, nil
}

// renewAborted gives a segment the entries that were made of its batches.
func (l *Log) renewAborted(s *segment, built []byte) error {
	err := s.aborted.renew(built)
	if errors.Is(err, errGone) {
		return err
	} else if err != nil {
		l.logger().Warn("keeping aborted transactions in memory", "log", l.name, "segment", s.name(), "error", err)
	}
	s.abortedDoubt.Store(false)
	s.markersKnown.Store(true)
	l.sums.put(s.base, sumOf(built))
	return nil
}

// trimAborted leaves of the index what ends before from, because what lies behind it
// in the log is about to be read again. An index that is out of order, as a torn one
// may be, is left for rebuildAborted: what to keep of it is not known.
func (s *segment) trimAborted(from, end record.Offset) error {
	if from == 0 {
		return s.aborted.truncate(func([]byte) bool { return false })
	}
	before := record.Offset(-1)
	err := s.aborted.from(func([]byte) bool { return false }, func(b []byte) error {
		e := parseAborted(b)
		if !e.sane(b, s, before) || from == end && e.Last >= end {
			return errDoubt
		}
		before = e.Last
		return nil
	})
	if errors.Is(err, errDoubt) {
		s.abortedDoubt.Store(true)
		return nil
	} else if err != nil {
		return err
	}
	return s.aborted.truncate(func(b []byte) bool { return parseAborted(b).Last < from })
}

// abortedFrom makes the index entries of one segment between two positions; open is
// the first offsets of the transactions that are open at the first one, and then at
// the other. The segment does not end below limit.
func (s *segment) abortedFrom(open map[int64]record.Offset, pos, limit int64) ([]byte, error) {
	var built []byte
	err := s.walk(pos, limit, func(f *handle, pos int64, h record.Header) error {
		if !h.Transactional() || h.ProducerID < 0 {
			return nil
		}
		first, begun := open[h.ProducerID]
		if !h.Control() {
			if !begun {
				open[h.ProducerID] = h.BaseOffset
			}
			return nil
		}
		m, err := s.marker(f, pos, h)
		if err != nil || m == nil || !begun {
			return err
		}
		delete(open, h.ProducerID)
		if m.Commit {
			return nil
		}
		e := abortedEntry{AbortedTxn{h.ProducerID, first, h.LastOffset()}, h.NextOffset()}
		for _, other := range open {
			e.stable = min(e.stable, other)
		}
		built = append(built, e.bytes()...)
		return nil
	})
	return built, err
}

// marker reads the control batch at pos; nil: it ends no transaction.
func (s *segment) marker(f *handle, pos int64, h record.Header) (*Marker, error) {
	if !h.Control() || h.Size() > maxMarker {
		return nil, nil
	}
	b := make([]byte, h.Size())
	if _, err := f.ReadAt(b, pos); err != nil {
		return nil, &StorageError{Op: "reading", Path: s.path(logSuffix), Position: pos, Err: err}
	}
	if m, ok := parseMarker(h, b); ok {
		return &m, nil
	}
	return nil, nil
}
