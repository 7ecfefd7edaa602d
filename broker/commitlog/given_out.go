package commitlog

import "github.com/loghaul/loghaul/internal/record"

// mostSearched is how many bytes behind damage are searched for the next batch.
const mostSearched = 64 << 20

// lookBehind notes which offsets lie behind a cut, in segment i and in those that go with
// it: they were given out.
func (l *Log) lookBehind(i int, end edge) {
	for j, s := range l.mu.segments[i:] {
		if j > 0 {
			end = edge{0, s.base}
		}
		l.gaveOut = max(l.gaveOut, end.next, s.lastBehind(end))
	}
}

// lastBehind is the offset behind the last sound batch behind an edge, as far as it can be
// seen. A batch is believed whose checksum is right and whose offset, which that does not
// cover, fits between what is known and the bytes there are.
func (s *segment) lastBehind(end edge) record.Offset {
	f, err := s.acquire()
	if err != nil {
		return end.next // what cannot be read says nothing
	}
	defer f.release()
	_ = walkOver(f, s.path(logSuffix), end.position, s.size, func(w *walker) error { // as far as it goes
		for searched := 0; searched < mostSearched; {
			pos := w.pos
			h, err := w.next()
			if _, bad := asDamage(err); bad {
				w.pos++
				searched++
				continue
			} else if err != nil {
				return err
			}
			behind := w.pos
			if fits := h.BaseOffset >= end.next && int64(h.BaseOffset-end.next) <= pos-end.position; fits && w.checksum(h, pos) == nil {
				end = edge{behind, h.NextOffset()}
				w.pos = behind
				continue
			}
			w.pos = pos + 1 // its length may be what is wrong
			searched++
		}
		return nil
	})
	return end.next
}
