package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/loghaul/loghaul/internal/record"
)

// An offset is given out once, whatever happens to the file its record was in: groups
// remember how far they have read, and would pass over other records at the same
// offsets. So where the recovery point knows of more than the files hold, the log goes
// on behind that, and what is missing is a hole, which reading refuses and names.
//
// Whoever finds a copy of the file puts it back while the broker is stopped. The next
// start takes its records in, up to where the log had gone on.

// goOn moves the end of a log that is being opened behind what is known to have been
// given out. last is the segment that appends go to then.
func (l *Log) goOn(point *checkpoint) (last *segment, err error) {
	last = l.mu.segments[len(l.mu.segments)-1]
	end, known := l.mu.end, l.mu.start
	if point != nil && point.end > end {
		known = max(known, point.end, l.gaveOut)
	}
	if known <= end {
		return last, nil
	}
	if point != nil && point.end > end {
		l.shortened = true
		reason := "the last recovery point knows of more"
		if l.gaveOut > 0 {
			reason = "what lay behind it was cut off"
		} else if last.base < point.segment {
			reason = missingFiles(end, point.segment)
		}
		l.lose(point.start, end, known, reason)
	} else {
		l.stamps.allow(known) // the log's start was moved there, and the records before it are nobody's
	}
	return l.beginAt(known)
}

// missingFiles names those that should follow the end: the one that held it, and the one of the recovery point.
func missingFiles(end, last record.Offset) string {
	if end >= last {
		return segmentName(last, logSuffix) + " is missing"
	}
	return fmt.Sprintf("%s to %s are missing", segmentName(end, logSuffix), segmentName(last, logSuffix))
}

// lose writes down that the offsets from one on and before another are in no file. The
// log ends there. A log of which nothing is left begins behind them, and all is lost from
// its start on.
func (l *Log) lose(start, from, to record.Offset, reason string) {
	var before *segment
	for _, s := range l.mu.segments {
		if s.size > 0 && s.base < to {
			before = s
		}
	}
	if from <= l.mu.start || before == nil {
		from, before = start, nil
		l.mu.start, l.lostFirst = to, true
		l.stamps.allow(to)
	}
	if from < to {
		l.sayLost(l.lostBehind(before, from, to, reason))
	}
}

// sayLost writes down and logs what Open found lost.
func (l *Log) sayLost(d Damage) {
	d.Said = true
	l.noteDamages(func(list []Damage) []Damage { return append(list, d) })
	l.mu.cfg.Logger.Error(d.String())
}

// beginAt makes an active segment at an offset behind the end, in the place of one that
// holds nothing. The caller holds appending, or is alone; and mu is free.
func (l *Log) beginAt(offset record.Offset) (*segment, error) {
	l.mu.RLock()
	segments := slices.Clone(l.mu.segments)
	l.mu.RUnlock()
	s, err := createSegment(l.fs, l.dir, offset, &l.stamps)
	if err != nil {
		return nil, err
	}
	old := segments[len(segments)-1]
	if old.size == 0 {
		segments = segments[:len(segments)-1]
	} else {
		old.noteTime()
	}
	l.mu.Lock()
	l.mu.segments = append(segments, s)
	l.mu.end, l.mu.renamed, l.mu.due = offset, true, true
	if old.size > 0 {
		l.mu.sealed = append(l.mu.sealed, old)
	} else if l.mu.durable.segment == old {
		l.mu.durable = place{s, 0}
	}
	l.mu.Unlock()
	l.appending.active, l.appending.end = s, offset
	if old.size == 0 {
		// Its name is free for a copy that is put back. Without its successor's a power cut
		// could leave no segment at all, and nobody to say where the log had gone on.
		if err := l.fs.SyncDir(l.dir); err != nil {
			return nil, err
		}
		if err := old.unlink(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, &StorageError{Op: "removing", Path: old.path(logSuffix), Err: err}
		}
	}
	return s, nil
}

// lostStart notes that the first files are gone: a crash in a deletion on a full disk
// leaves that too, so the log begins behind them.
func (l *Log) lostStart(point *checkpoint) {
	for _, d := range l.damages.all() { // a start before this one may have been cut short
		l.shortened = l.shortened || d.Lost && d.To == l.mu.end
	}
	first := l.mu.segments[0].base
	if point != nil && first > point.start && !slices.ContainsFunc(l.damages.all(), func(d Damage) bool { return d.Lost && d.To == first }) {
		l.shortened = l.shortened || first >= point.end
		l.lostFirst = true
		l.sayLost(l.lostBehind(nil, point.start, first, "the log's first files are gone, lost or deleted while the disk was full"))
	}
	for _, d := range l.damages.all() { // an earlier start has found that
		if d.Lost && !d.Said && d.To == l.mu.start {
			l.mu.cfg.Logger.Error(d.String())
		}
	}
}

// GoOn moves the end of a log that Open found shortened behind an offset that somebody
// remembers, before anybody uses the log; reason says why. It changes nothing where the
// log ends behind it, and says whether it did.
func (l *Log) GoOn(offset record.Offset, reason string) (bool, error) {
	l.keeping.Lock()
	moved, err := l.goOnTo(offset, reason)
	l.keeping.Unlock()
	if err != nil {
		return false, fmt.Errorf("going on behind offset %d in %s: %w", offset, l.name, err)
	}
	if !moved {
		return false, nil
	}
	if l.syncer != nil {
		l.syncer.mark(l)
	} else {
		l.sync()
	}
	return true, l.Err()
}

// goOnTo does it; the caller holds keeping.
func (l *Log) goOnTo(offset record.Offset, reason string) (bool, error) {
	l.appending.Lock()
	defer l.appending.Unlock()
	if _, err := l.config(); err != nil || offset <= l.appending.end {
		return false, err
	}
	from := l.appending.end
	list := l.damages.all()
	for _, d := range list { // what Open found lost is the same loss
		if d.Lost && d.To == from {
			from, reason = d.From, d.Reason
		}
	}
	if _, err := l.beginAt(offset); err != nil {
		return false, err
	}
	l.mu.Lock()
	var before *segment
	if n := len(l.mu.segments); n > 1 {
		before = l.mu.segments[n-2]
	} else {
		l.mu.start, l.lostFirst = offset, true
		l.stamps.allow(offset)
	}
	l.mu.Unlock()
	d := l.lostBehind(before, from, offset, reason)
	d.Said = true
	l.damages.change(func(list []Damage) []Damage {
		return append(slices.DeleteFunc(list, func(d Damage) bool { return d.Lost && d.From == from }), d)
	})
	l.logger().Error(d.String())
	if err := l.writeDamages(); err != nil {
		l.logger().Warn("writing down what is lost", "log", l.name, "error", err)
	}
	return true, nil
}

// LostStart is what this Open, or GoOn, found lost from the log's beginning.
func (l *Log) LostStart() (from, to record.Offset, lost bool) {
	start := l.Start()
	if !l.lostFirst {
		return 0, 0, false
	}
	for _, d := range l.damages.all() {
		if d.Lost && d.Said && d.To == start {
			return d.From, d.To, true
		}
	}
	return 0, 0, false
}

// Shortened says that Open found fewer offsets than had been given out, or that an earlier
// one did and nothing was appended since.
func (l *Log) Shortened() bool { return l.shortened }

// readmit takes in files that were put back where offsets are lost: whole, but for what
// lies where the log has gone on since. They are listed already, and nothing of them is
// believed. It moves the recovery point's start back to what is there again, and answers
// the first such file's base, -1: there is none.
func (l *Log) readmit(point *checkpoint) (first record.Offset, err error) {
	first = -1
	for _, d := range l.damages.all() {
		if !d.Lost {
			continue
		}
		for i, s := range l.mu.segments {
			if s.base < d.segment || s.base >= d.To || s.base == d.segment && s.size <= d.Position || s.size == 0 {
				continue
			}
			before := record.Offset(-1)
			if i+1 < len(l.mu.segments) {
				before = l.mu.segments[i+1].base
			}
			l.stamps.epochs.Store(nil) // what was known of leader epochs may be older than the file: they are read anew
			if err := l.takeIn(s, before); err != nil {
				return -1, err
			}
			if first < 0 || s.base < first {
				first = s.base
			}
			if point != nil && point.start == d.To {
				point.start = max(d.From, s.base)
				l.stillLost(d, point.start)
			}
		}
	}
	return first, nil
}

// stillLost keeps in mind what is lost from the log's beginning up to the first file that
// was put back.
func (l *Log) stillLost(d Damage, to record.Offset) {
	if d.segment >= 0 || to <= d.From {
		return
	}
	d.To = to
	l.noteDamages(func(list []Damage) []Damage { return append(list, d) })
}

// takeIn gives the indexes of a file that was put back, and cuts off what the log has
// other records for: those that follow are where its readers go on.
func (l *Log) takeIn(s *segment, before record.Offset) error {
	f, err := s.acquire()
	if err != nil {
		return err
	}
	defer f.release()
	var pos int64
	next := s.base
	c := chain{stamps: s.stamps, next: s.base}
	err = walkOver(f, s.path(logSuffix), 0, s.size, func(w *walker) error {
		for {
			pos = w.pos
			h, err := w.next()
			if err == nil {
				err = c.follow(h)
			}
			if err == nil && before >= 0 && h.NextOffset() > before {
				err = damaged("the log went on with other records at offset %d", before)
			}
			if err != nil {
				return err
			}
			next = h.NextOffset()
		}
	})
	if bad, is := asDamage(err); is {
		if err := f.Truncate(pos); err != nil {
			return &StorageError{Op: "truncating", Path: s.path(logSuffix), Position: pos, Err: err}
		}
		l.mu.cfg.Cut(Cut{Log: l.name, Segment: s.name(), Position: pos, Bytes: s.size - pos, Offset: next, Reason: bad.reason})
		s.size = pos
		s.unchecked.to.Store(pos)
	} else if err != io.EOF {
		return err
	}
	s.abortedDoubt.Store(true) // nobody vouches for what it says of aborted transactions
	if err := s.rebuild(s.size); err != nil {
		return err
	}
	l.mu.cfg.Logger.Warn("a file that was put back is taken in again", "log", l.name, "segment", s.name(), "from", int64(s.base), "to", int64(next))
	return nil
}
