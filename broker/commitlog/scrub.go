package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/loghaul/loghaul/internal/record"
)

// mostDamage is how many damaged batches of a segment are told of.
const mostDamage = 10

// Damage is bytes of a segment that cannot be read any more, found without anybody
// asking for them.
type Damage struct {
	Log      string // folder name, web_log-0
	Path     string
	Position int64
	From, To record.Offset // the offsets that are in doubt: from From on and before To
	Reason   string
}

// String is the line that the operator sees.
func (d Damage) String() string {
	return fmt.Sprintf("%s is damaged at position %d: %s: offsets %d to %d of %s cannot be trusted; stop the broker and put back a copy of the file, "+
		"or give up what lies before offset %d with loghaul topic trim", d.Path, d.Position, d.Reason, d.From, d.To-1, d.Log, d.To)
}

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
	if limit = l.limitLocked(segments[i]); limit == 0 {
		return nil, 0, -1, nil
	}
	if i+1 < len(segments) && segments[i] != l.mu.durable.segment {
		return segments[i], limit, segments[i+1].base, nil
	}
	return segments[i], limit, -1, nil
}

// scrubSegment reads one segment up to limit.
func (l *Log) scrubSegment(ctx context.Context, s *segment, limit int64, after record.Offset, wait func(context.Context, int) error, found func(Damage)) error {
	f, err := s.acquire()
	if err != nil {
		return err
	}
	defer f.release()
	told := 0
	tell := func(pos int64, from, to record.Offset, reason string) {
		if told++; told <= mostDamage {
			found(Damage{Log: l.name, Path: s.path(logSuffix), Position: pos, From: from, To: max(to, from+1), Reason: reason})
		}
	}
	buf := recoverBuffers.Get().(*[]byte)
	defer recoverBuffers.Put(buf)
	w := &walker{f: f, path: s.path(logSuffix), limit: limit, buf: *buf}
	c := chain{stamps: s.stamps, next: s.base}
	for ctx.Err() == nil {
		pos, expected := w.pos, c.next
		h, err := w.next()
		if err == nil {
			if err = c.follow(h); err != nil {
				c.next = h.NextOffset() // what is behind it has its own place
			} else {
				err = w.checksum(h, pos)
			}
			w.pos = pos + int64(h.Size())
		}
		bad, isBad := asDamage(err)
		var failed *StorageError
		switch {
		case err == io.EOF:
			if after >= 0 && c.next != after && !l.stamps.gap(c.next, after) {
				tell(limit, c.next, after, fmt.Sprintf("the file that begins with offset %d is missing, %s comes next", c.next, segmentName(after, logSuffix)))
			}
			return nil
		case isBad && w.pos == pos: // no header to go on from
			if after < 0 {
				after = l.HighWatermark()
			}
			tell(pos, expected, after, bad.reason)
			return nil
		case errors.As(err, &failed): // a bad sector, perhaps; the other segments may be read all the same
			if after < 0 {
				after = l.HighWatermark()
			}
			tell(failed.Position, expected, after, failed.Err.Error())
			return nil
		case isBad:
			tell(pos, min(expected, h.BaseOffset), max(expected+1, h.NextOffset()), bad.reason)
		case err != nil:
			return err
		}
		if err := wait(ctx, h.Size()); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Missing looks at the seams between segments, which costs a few reads each, and tells
// found of offsets that lie in none: somebody has lost a file.
func (l *Log) Missing(found func(Damage)) error {
	segments, _, _, err := l.durableSegments()
	if err != nil {
		return err
	}
	for i := range len(segments) - 1 {
		s, next := segments[i], segments[i+1].base
		end, err := l.endOf(s)
		if errors.Is(err, errGone) {
			continue
		} else if _, bad := asDamage(err); bad {
			continue // the scrub itself comes to it, and says where
		} else if err != nil {
			return fmt.Errorf("looking for missing segments of %s: %w", l.name, err)
		}
		if end < next && !l.stamps.gap(end, next) {
			found(Damage{Log: l.name, Path: s.path(logSuffix), Position: s.size, From: end, To: next,
				Reason: fmt.Sprintf("the file that begins with offset %d is missing, %s comes next", end, segmentName(next, logSuffix))})
		}
	}
	return nil
}

// endOf is the offset behind the last batch of a sealed segment.
func (l *Log) endOf(s *segment) (record.Offset, error) {
	f, err := s.acquire()
	if err != nil {
		return 0, err
	}
	defer f.release()
	e, ok, err := s.byPosition(s.size)
	if err != nil {
		return 0, err
	}
	pos, end := int64(0), s.base
	if ok && e.position >= 0 && e.position < s.size {
		pos = e.position
	}
	err = walkOver(f, s.path(logSuffix), pos, s.size, func(w *walker) error {
		for {
			h, err := w.next()
			if err != nil {
				return err
			}
			end = h.NextOffset()
		}
	})
	if err != io.EOF {
		return 0, err
	}
	return end, nil
}
