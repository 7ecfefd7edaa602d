package commitlog

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
)

// recheckBytes is how far before the recovery point a check begins: what was
// synced should be there, a disk that lied about its last moments is found out.
const recheckBytes = 16 << 20

// recover checks every batch from recheckBytes before the recovery point on, from
// the log's beginning without one: magic, length, CRC, and offsets that follow
// each other. At the first bad byte the log ends: the file is cut there, what
// follows is removed, and both are reported. Zeros are the end too: a torn page
// leaves them. A file that cannot be read is an error, never a cut.
func (l *Log) recover(point *checkpoint) error {
	i, pos, err := l.recheckFrom(point)
	if err != nil {
		return err
	}
	first, next := i, l.mu.segments[i].base
	l.point.segment = next // what lies before needs no sync, the checkpoint at Open's end syncs the rest
	for ; i < len(l.mu.segments); i++ {
		s := l.mu.segments[i]
		if i > first && !l.follows(s.base, next, point) {
			if err := l.dropBehind(i-1, fmt.Sprintf("segment does not follow offset %d", next)); err != nil {
				return err
			}
			break
		}
		if point == nil {
			l.seen(next, s.base)
		}
		next = max(next, s.base) // what is missing before it is not this segment's damage
		end, err := l.recoverSegment(s, pos, next, point)
		l.rechecked += end.position - pos
		if bad, cut := asDamage(err); cut {
			if point != nil && end.next < point.end {
				l.lookBehind(i, end)
			}
			if err := l.cut(i, end, bad); err != nil {
				return err
			}
			next = max(end.next, s.base)
			break
		} else if err != nil {
			return err
		}
		next, pos = max(end.next, s.base), 0
		_ = s.close() // a log may have thousands; entries that the disk has no room for stay in memory
	}
	l.mu.end = next
	return nil
}

// follows says whether a segment that begins at base may follow the offset before
// next. Behind the recovery point nothing may be missing: a power cut can lose a whole
// segment and keep a later one. Before it compaction may have left a gap, or somebody
// has lost a file: what lies behind that stays, and reading says what is missing.
// Without a point nothing is known.
func (l *Log) follows(base, next record.Offset, point *checkpoint) bool {
	return base == next || base > next && (point == nil || next < point.end)
}

// seen notes a gap that was found where nothing is known of any: offsets may be missing
// below its end.
func (l *Log) seen(next, base record.Offset) {
	if base > next {
		l.point.gaps = base
	}
}

// recoverBuffers are windows for whole segments: a thousand logs are checked after a
// crash.
var recoverBuffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// edge is where the sound part of a segment ends.
type edge struct {
	position int64
	next     record.Offset // the offset that follows it
}

// recheckFrom is the segment and position at which the check begins: the edge of
// a batch, which the index knows if it can be trusted there, else the segment's
// beginning.
func (l *Log) recheckFrom(point *checkpoint) (int, int64, error) {
	segments := l.mu.segments
	if point == nil {
		return 0, 0, nil
	}
	i := len(segments) - 1
	for i > 0 && segments[i].base > point.segment {
		i--
	}
	s, end := segments[i], point.position
	if s.base > point.segment {
		return 0, 0, nil
	} else if s.base < point.segment || s.size < end {
		end = s.size // what was behind it is lost, and goOn says so
	}
	back := end - l.mu.cfg.RecheckBytes
	for back < 0 && i > 0 {
		i--
		back += segments[i].size
	}
	s = segments[i]
	if back <= 0 {
		return i, 0, nil
	}
	f, err := s.acquire()
	if err != nil {
		return 0, 0, err
	}
	defer f.release()
	e, ok, err := s.byPosition(back)
	if err != nil || !ok {
		return i, 0, err
	}
	err = walkOver(f, s.path(logSuffix), e.position, s.size, func(w *walker) error { return s.check(w, e) })
	if errors.Is(err, errDoubt) || err == io.EOF {
		return i, 0, nil
	}
	return i, e.position, err
}

// recoverSegment checks the batches of s from pos on and makes the index entries
// behind pos anew. The edge is the end of the last sound batch; the error is
// *damage when bytes follow it.
func (l *Log) recoverSegment(s *segment, pos int64, next record.Offset, point *checkpoint) (edge, error) {
	end := edge{pos, next}
	f, err := s.acquire()
	if err != nil {
		return end, err
	}
	defer f.release()
	if err := s.rewind(pos); err != nil {
		return end, err
	}
	buf := recoverBuffers.Get().(*[]byte)
	defer recoverBuffers.Put(buf)
	w := &walker{f: f, path: s.path(logSuffix), pos: pos, limit: s.size, buf: *buf}
	for {
		h, err := w.next()
		if err == io.EOF {
			s.noteTime()
			return end, nil
		} else if err != nil {
			if old := s.oldFormat(f, end.position); old != nil {
				err = old // a log that another program keeps is never cut
			}
			return end, err
		}
		switch {
		case end.position == pos && pos > 0:
			end.next = h.BaseOffset // the middle of a segment: the first batch says where
		case h.BaseOffset < end.next, point != nil && h.BaseOffset > end.next && !l.stamps.gap(end.next, h.BaseOffset):
			return end, damaged("batch offset %d, expected %d", h.BaseOffset, end.next)
		case point == nil:
			l.seen(end.next, h.BaseOffset)
		}
		if err := l.stamps.epochOf(h); err != nil {
			return end, err
		}
		if err := w.checksum(h, end.position); err != nil {
			return end, err
		}
		if es := l.stamps.epochs.Load(); es != nil && (point == nil || h.BaseOffset >= point.end) {
			l.stamps.votes.hear(*es, h)
		}
		s.see(h)
		s.note(h, end.position, l.mu.cfg.IndexInterval)
		end = edge{w.pos, h.NextOffset()}
	}
}

// rewind drops the index entries of what lies at or behind pos, and takes the
// latest time before it from the time index.
func (s *segment) rewind(pos int64) error {
	e, ok, err := s.byPosition(pos)
	if err != nil {
		return err
	}
	last := record.Offset(-1)
	if ok && pos > 0 {
		last = e.last
	}
	if err := s.index.truncate(func(b []byte) bool { return pos > 0 && parseIndexEntry(b).position < pos }); err != nil {
		return err
	}
	// The time entry of the batch at pos stays: it also speaks for those before.
	if err := s.times.truncate(func(b []byte) bool { return parseTimeEntry(b).last <= last }); err != nil {
		return err
	}
	s.latestTime, s.indexedTime, s.timed, s.sinceIndex = -1, -1, true, 0
	t, ok, err := s.latest()
	if ok && err == nil {
		s.latestTime, s.latestLast, s.indexedTime = t.time, s.base+t.last, t.time
	}
	if pos > 0 {
		s.sinceIndex = 1 << 30 // so that the batch at pos gets its entry back
	}
	return err
}

// cut ends the log at end in segment i and reports what it takes away.
func (l *Log) cut(i int, end edge, bad *damage) error {
	s := l.mu.segments[i]
	if l.mu.cfg.Foreign && i+1 < len(l.mu.segments) {
		return fmt.Errorf("%s is damaged at position %d (offset %d): %s, and there are files behind it: put back a copy of it, or move it and its indexes "+
			"away to go on without its records", s.path(logSuffix), end.position, max(end.next, s.base), bad.reason)
	}
	if err := l.dropBehind(i, "behind the cut in "+s.name()); err != nil {
		return err
	}
	f, err := s.acquire()
	if err != nil {
		return err
	}
	defer f.release()
	lost := s.size - end.position
	if err := f.Truncate(end.position); err != nil {
		return &StorageError{Op: "truncating", Path: s.path(logSuffix), Position: end.position, Err: err}
	}
	s.size = end.position
	s.unchecked.to.Store(min(s.unchecked.to.Load(), s.size))
	s.noteTime()
	l.mu.cfg.Cut(Cut{Log: l.name, Segment: s.name(), Position: end.position, Bytes: lost, Offset: max(end.next, s.base), Reason: bad.reason})
	return nil
}

// dropBehind removes the segments after i, newest first, so that a crash in
// between leaves no hole; nothing after a bad byte can be believed to follow it.
func (l *Log) dropBehind(i int, reason string) error {
	if i == len(l.mu.segments)-1 {
		return nil
	}
	for j := len(l.mu.segments) - 1; j > i; j-- {
		s := l.mu.segments[j]
		if err := s.unlink(); err != nil {
			return &StorageError{Op: "removing", Path: s.path(logSuffix), Err: err}
		}
		l.mu.cfg.Cut(Cut{Log: l.name, Segment: s.name(), Bytes: s.size, Offset: s.base, Reason: reason})
		l.mu.segments = l.mu.segments[:j]
	}
	// The names go before the bytes that explain why: never a hole in between.
	return l.fs.SyncDir(l.dir)
}
