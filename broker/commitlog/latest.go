package commitlog

import (
	"errors"

	"github.com/loghaul/loghaul/internal/record"
)

// MaxTimestamp is the first record with the latest time of all, and that time;
// -1, -1: the log is empty.
func (l *Log) MaxTimestamp() (at record.Offset, t int64, err error) {
	for {
		if at, t, err = l.maxTimestamp(); !errors.Is(err, errGone) {
			return at, t, err
		}
	}
}

func (l *Log) maxTimestamp() (record.Offset, int64, error) {
	latest := int64(-1)
	segments, start, high, err := l.durableSegments()
	if err != nil {
		return -1, -1, l.lookup(err, latest)
	}
	var holder *segment
	for _, s := range segments {
		t, err := l.latestTime(s)
		if err != nil {
			return -1, -1, l.lookup(err, latest)
		}
		if t > latest {
			holder, latest = s, t
		}
	}
	if holder == nil {
		return -1, -1, nil
	}
	at, t, err := l.inSegment(holder, latest, start, high)
	if err == nil && at < 0 {
		// The latest time lies in what is not durable yet or was trimmed.
		return l.slowMax(segments, start, high)
	}
	return at, t, l.lookup(err, latest)
}

// slowMax looks at every batch between start and high, and into the one that start
// lies in.
func (l *Log) slowMax(segments []*segment, start, high record.Offset) (record.Offset, int64, error) {
	at, latest := record.Offset(-1), int64(-1)
	var reader record.Reader
	for _, s := range segments {
		err := l.walkDurable(s, max(s.base, start), func(f *handle, pos int64, h record.Header) error {
			if h.BaseOffset >= high {
				return errFound
			}
			if h.MaxTimestamp <= latest {
				return nil
			}
			return s.records(&reader, f, pos, h, func(rec *record.Record) error {
				if rec.Offset >= start && rec.Timestamp > latest {
					at, latest = rec.Offset, rec.Timestamp
				}
				return nil
			})
		})
		if err != nil {
			return -1, -1, l.lookup(err, latest)
		}
	}
	return at, latest, nil
}

// latestTime is the latest time in a segment, -1 if none; for a segment that was
// sealed before the log was opened it is read once from the time index.
func (l *Log) latestTime(s *segment) (int64, error) {
	l.mu.RLock()
	t, known := s.latestTime, s.timed
	l.mu.RUnlock()
	if known {
		return t, nil
	}
	e, err := l.trustedLatest(s)
	if err != nil {
		return -1, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.latestTime, s.latestLast, s.timed = e.time, s.base+e.last, true
	return e.time, nil
}

// trustedLatest is the last time entry if the batch it names is that late and none
// behind it is later, else the one of a rebuilt index.
func (l *Log) trustedLatest(s *segment) (timeEntry, error) {
	e, ok, err := s.latest()
	if err != nil {
		return e, err
	}
	if ok && l.timeFits(s, e) {
		later := false
		err := l.walkDurable(s, s.base+e.last, func(_ *handle, _ int64, h record.Header) error {
			later = later || h.Count > 0 && h.MaxTimestamp > e.time
			return nil
		})
		if err != nil || !later {
			return e, err
		}
	}
	if err := l.rebuild(s); err != nil {
		return e, err
	}
	if e, ok, err = s.latest(); !ok {
		e = timeEntry{time: -1}
	}
	return e, err
}

// timeFits holds a time entry against the batch it names.
func (l *Log) timeFits(s *segment, e timeEntry) bool {
	fits := false
	err := l.walkDurable(s, s.base+e.last, func(_ *handle, _ int64, h record.Header) error {
		fits = h.LastOffset() == s.base+e.last && h.MaxTimestamp == e.time
		return errFound
	})
	return fits && err == nil
}

func (l *Log) rebuild(s *segment) error {
	l.mu.RLock()
	limit := l.limitLocked(s)
	l.mu.RUnlock()
	return s.rebuild(limit)
}
