package commitlog

import (
	"io"
	"math"

	"github.com/loghaul/loghaul/internal/record"
)

// A reader goes by the headers of batches, which may be what is damaged. So it never
// walks through bytes that are known to be bad: what it reads ends before them, and who
// asks for what lies behind them begins at the sound batch that follows.

// in are those damages of one segment that have a place in its file.
func (t *damages) in(s *segment, f func(Damage)) {
	if t == nil {
		return
	}
	for _, d := range t.all() {
		if !d.Lost && d.segment == s.base {
			f(d)
		}
	}
}

// stays says that a damage that was given up still lies in the way of those who read its
// file, in a log whose first segment begins at first.
func (d *Damage) stays(first record.Offset) bool { return !d.Lost && d.segment >= first }

// firstBase is where the first segment begins.
func (l *Log) firstBase() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.mu.segments) == 0 {
		return 0
	}
	return l.mu.segments[0].base
}

// behind is where the sound batches go on, in a file of limit bytes.
func (d *Damage) behind(limit int64) int64 {
	if d.until <= d.Position {
		return limit // nowhere
	}
	return min(d.until, limit)
}

// sound is the first place in a segment from pos on that does not lie in what is known to
// be damaged, and wholly before the offset below.
func (s *segment) sound(pos, limit int64, below record.Offset) int64 {
	s.stamps.damages.in(s, func(d Damage) {
		if d.To <= below && d.Position <= pos {
			pos = max(pos, d.behind(limit))
		}
	})
	return pos
}

// beyond is the furthest place behind damage that lies wholly before an offset; 0: there
// is none.
func (s *segment) beyond(target record.Offset, limit int64) (pos int64) {
	s.stamps.damages.in(s, func(d Damage) {
		if d.To <= target {
			pos = max(pos, d.behind(limit))
		}
	})
	return pos
}

// fence keeps a reader, who wants what follows an offset, from what is known to be
// damaged: who begins in it is refused, and others come up to it.
func (r *reach) fence(from record.Offset) (err error) {
	r.segment.stamps.damages.in(r.segment, func(d Damage) {
		switch {
		case from >= d.To || err != nil:
		case from >= d.From:
			err = d.refusal()
		case d.Position < r.limit:
			r.limit, r.fenced = d.Position, &d
		}
	})
	return err
}

// refusal is what a reader of it is told.
func (d *Damage) refusal() error {
	return &StorageError{Op: "reading", Path: d.Path, Position: d.Position, Err: damaged("%s: offsets %d to %d are not served", d.Reason, d.From, d.To-1)}
}

// walkSound is walk past what is known to be damaged, wholly before the offset below.
func (s *segment) walkSound(pos, limit int64, below record.Offset, f func(h *handle, pos int64, hdr record.Header) error) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	c := chain{stamps: s.stamps, next: -1}
	if pos == 0 {
		c.next = s.base
	}
	err = walkOver(h, s.path(logSuffix), pos, limit, func(w *walker) error {
		for {
			if over := s.sound(w.pos, limit, below); over != w.pos {
				w.pos, c.next = over, -1
			}
			pos := w.pos
			hdr, err := w.next()
			if err == nil {
				err = c.follow(hdr)
			}
			if err == nil {
				err = f(h, pos, hdr)
			}
			if err != nil {
				return s.place(err, pos)
			}
		}
	})
	if err == io.EOF || err == errFound {
		return nil
	}
	return err
}

// nothing and everything are the offsets below which damage is walked past.
const (
	nothing    record.Offset = -1
	everything record.Offset = math.MaxInt64
)
