package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sort"

	"github.com/loghaul/loghaul/internal/record"
)

// mostDamage is how many damaged batches of a segment are told of.
const mostDamage = 10

// Scrub reads one segment, as far as it is durable, and holds each batch against its
// checksum, its neighbours and the epochs: the one that holds the offset from, or the
// first behind it. It tells found of what does not fit and changes nothing. wait is
// called with the bytes of each batch once it was read. next is where the following
// call begins; more is false when there is nothing left.
func (l *Log) Scrub(ctx context.Context, from record.Offset, wait func(context.Context, int) error, found func(Damage)) (next record.Offset, more bool, err error) {
	for {
		s, limit, after, err := l.scrubbable(from)
		if err != nil || s == nil {
			return from, false, err
		}
		err = l.scrubSegment(ctx, s, limit, after, wait, found)
		switch {
		case errors.Is(err, errGone): // retention or compaction was quicker
			if err := l.closed(); err != nil {
				return from, false, err
			}
		case err != nil:
			return from, false, fmt.Errorf("scrubbing %s: %w", l.name, err)
		case after < 0:
			return s.base, false, nil
		default:
			return after, true, nil
		}
	}
}

// scrubbable is the segment that holds an offset, how far it may be read, and where the
// next one begins; -1: it is the last.
func (l *Log) scrubbable(from record.Offset) (s *segment, limit int64, after record.Offset, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.mu.err == ErrClosed {
		return nil, 0, -1, ErrClosed
	}
	segments := l.mu.segments
	i := max(sort.Search(len(segments), func(i int) bool { return segments[i].base > from })-1, 0)
	if limit = l.limitLocked(segments[i]); limit == 0 && segments[i].base >= l.mu.durable.segment.base {
		return nil, 0, -1, nil
	}
	if i+1 < len(segments) && segments[i] != l.mu.durable.segment {
		return segments[i], limit, segments[i+1].base, nil
	}
	return segments[i], limit, -1, nil
}

// scrubSegment reads one segment up to limit. What it finds is not served from then on;
// what was found there before and is sound now is.
func (l *Log) scrubSegment(ctx context.Context, s *segment, limit int64, after record.Offset, wait func(context.Context, int) error, found func(Damage)) error {
	f, err := s.openQuiet()
	if err != nil {
		return err
	}
	defer f.Close()
	var bad []Damage
	tell := func(d Damage) {
		bad = append(bad, d)
		l.noteDamages(func(list []Damage) []Damage { return append(list, d) })
		if len(bad) <= mostDamage && d.To > l.Start() { // or it was given up
			found(d)
		}
	}
	if err := l.examine(ctx, f, s, edge{0, s.base}, limit, after, wait, tell); err != nil {
		return err
	}
	l.noteDamages(func(list []Damage) []Damage {
		list = slices.DeleteFunc(list, func(d Damage) bool { return d.segment == s.base && (!d.Lost || d.To == after) })
		return append(list, bad...)
	})
	return nil
}

// examine tells what does not fit in a segment's file, from the edge of a batch on.
func (l *Log) examine(ctx context.Context, f io.ReaderAt, s *segment, from edge, limit int64, after record.Offset, wait func(context.Context, int) error, tell func(Damage)) error {
	buf := recoverBuffers.Get().(*[]byte)
	defer recoverBuffers.Put(buf)
	e := &examination{log: l, s: s, ctx: ctx, after: after, end: l.endOr(after), next: from.next, wait: wait, tell: tell, guess: -1, budget: mostExamined}
	e.w = &walker{f: f, path: s.path(logSuffix), pos: from.position, limit: limit, buf: *buf}
	return e.run()
}

// endOr is where the next segment begins, or the end of what may be read.
func (l *Log) endOr(after record.Offset) record.Offset {
	if after < 0 {
		return l.HighWatermark()
	}
	return after
}

// missingFile says why offsets are in no file.
func missingFile(from, to record.Offset) string {
	return fmt.Sprintf("the file that begins with offset %d is missing, %s comes next", from, segmentName(to, logSuffix))
}

// Missing looks at the seams between segments, which costs a few reads each, and tells
// found of offsets that lie in none, and of files that end inside a batch: somebody has
// lost them, or a part.
func (l *Log) Missing(found func(Damage)) error {
	l.mu.RLock()
	segments, start, last, err := l.mu.segments, l.mu.start, l.mu.durable.segment.base, l.mu.err
	l.mu.RUnlock()
	if err == ErrClosed {
		return err
	}
	var bad []Damage
	known := l.damages.all()
	for i := 0; i+1 < len(segments) && segments[i].base < last; i++ {
		s, next := segments[i], segments[i+1].base
		end, err := l.endOf(s)
		_, isTorn := asDamage(err)
		switch {
		case errors.Is(err, errGone), next <= start:
		case err != nil && !isTorn:
			return fmt.Errorf("looking for missing segments of %s: %w", l.name, err)
		case isTorn || end.next < next && !l.stamps.gap(end.next, next):
			err := l.examineEnd(s, next, func(d Damage) { bad = append(bad, d) })
			if err != nil && !errors.Is(err, errGone) {
				return fmt.Errorf("looking for missing segments of %s: %w", l.name, err)
			}
		}
	}
	for i, d := range bad {
		if j := slices.IndexFunc(known, func(k Damage) bool { return d.Lost && k.Lost && k.To == d.To && k.segment == d.segment }); j >= 0 {
			bad[i].Reason, bad[i].Said = known[j].Reason, known[j].Said
		}
	}
	l.noteDamages(func(list []Damage) []Damage {
		list = slices.DeleteFunc(list, func(d Damage) bool { return d.Lost && d.To > start && d.To <= last })
		return append(list, bad...)
	})
	bad = slices.DeleteFunc(bad, func(d Damage) bool { return d.To <= start }) // it was given up
	for i := range min(len(bad), mostDamage) {
		found(bad[i])
	}
	return nil
}

// examineEnd tells what does not fit at the end of a segment, behind its last index entry
// and before the next segment, which begins at after.
func (l *Log) examineEnd(s *segment, after record.Offset, tell func(Damage)) error {
	f, err := s.acquire()
	if err != nil {
		return err
	}
	defer f.release()
	pos, first, err := s.lastIndexed(f)
	if err != nil {
		return err
	}
	wait := func(context.Context, int) error { return nil }
	return l.examine(context.Background(), f, s, edge{pos, first}, s.size, after, wait, tell)
}

// lastIndexed is where the batch of the last index entry begins, and its first offset; the
// segment's beginning if there is none that can be trusted.
func (s *segment) lastIndexed(f *handle) (pos int64, first record.Offset, err error) {
	e, ok, err := s.byPosition(s.size)
	if err != nil || !ok || e.position < 0 || e.position >= s.size {
		return 0, s.base, err
	}
	first = s.base
	err = walkOver(f, s.path(logSuffix), e.position, s.size, func(w *walker) error {
		h, err := w.next()
		if err == nil && h.LastOffset() == s.base+e.last {
			pos, first = e.position, h.BaseOffset
		}
		return err
	})
	if _, bad := asDamage(err); bad {
		err = nil
	}
	return pos, first, err
}

// Recheck reads the segments again in which an earlier process found damage, and tells
// found of what is still there. What is sound now, as a copy was put back, is served.
func (l *Log) Recheck(ctx context.Context, wait func(context.Context, int) error, found func(Damage)) error {
	looked := map[record.Offset]bool{}
	for _, d := range l.Damages() {
		if d.Lost || looked[d.segment] {
			continue
		}
		looked[d.segment] = true
		s, limit, after, err := l.scrubbable(d.segment)
		if err != nil || s == nil {
			return err
		}
		if s.base != d.segment { // that file is gone, and Missing tells of it
			l.noteDamages(func(list []Damage) []Damage {
				return slices.DeleteFunc(list, func(e Damage) bool { return !e.Lost && e.segment == d.segment })
			})
			continue
		}
		if err := l.scrubSegment(ctx, s, limit, after, wait, found); err != nil && !errors.Is(err, errGone) {
			return fmt.Errorf("checking %s again: %w", s.path(logSuffix), err)
		}
	}
	return nil
}

// CheckAgain reads the segment at once in which a reader, who wanted what follows an
// offset, came to the damage that cause tells of; found is told what is there.
func (l *Log) CheckAgain(ctx context.Context, offset record.Offset, cause error, wait func(context.Context, int) error, found func(Damage)) error {
	var storage *StorageError
	if errors.As(cause, &storage) {
		if base, ok := parseSegmentName(filepath.Base(storage.Path), logSuffix); ok {
			offset = base
		}
	}
	s, limit, after, err := l.scrubbable(offset)
	if err == nil && s != nil {
		err = l.scrubSegment(ctx, s, limit, after, wait, found)
	}
	if err != nil && !errors.Is(err, errGone) {
		return fmt.Errorf("checking %s again: %w", l.name, err)
	}
	return nil
}

// endOf is where the last batch of a sealed segment ends. It leaves no file open that was
// not: there may be a hundred thousand of them.
func (l *Log) endOf(s *segment) (edge, error) {
	if !s.isOpen() {
		defer func() { _ = s.close() }()
	}
	f, err := s.acquire()
	if err != nil {
		return edge{}, err
	}
	defer f.release()
	e, ok, err := s.byPosition(s.size)
	if err != nil {
		return edge{}, err
	}
	end := edge{0, s.base}
	if ok && e.position >= 0 && e.position < s.size {
		end = edge{e.position, s.base + e.last} // the batch there ends behind it, if it is sound
	}
	err = walkOver(f, s.path(logSuffix), end.position, s.size, func(w *walker) error {
		for {
			h, err := w.next()
			if err != nil {
				return err
			}
			end = edge{w.pos, h.NextOffset()}
		}
	})
	if err != io.EOF {
		return end, err
	}
	return end, nil
}
