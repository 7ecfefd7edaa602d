package diskroom

import (
	"cmp"
	"slices"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
)

// shelf is one log as it was looked at.
type shelf struct {
	Partition
	pieces []commitlog.Piece
	holds  []hold
	letter bool
}

// bytes is what the log takes.
func (s *shelf) bytes() int64 {
	var n int64
	for _, p := range s.pieces {
		n += p.Bytes
	}
	return n
}

// end is the offset behind the last record.
func (s *shelf) end() record.Offset {
	if len(s.pieces) == 0 {
		return 0
	}
	return s.pieces[len(s.pieces)-1].Next
}

// start is the first offset.
func (s *shelf) start() record.Offset {
	if len(s.pieces) == 0 {
		return 0
	}
	return s.pieces[0].Base
}

// floor is the offset below which every live group of the topic has read; the start when none lives.
func (s *shelf) floor() record.Offset {
	if len(s.holds) == 0 {
		return s.start()
	}
	return slices.MinFunc(s.holds, func(a, b hold) int { return cmp.Compare(a.from, b.from) }).from
}

// sealed is how many of the oldest segments may go as far as the log is concerned.
func (s *shelf) sealed() int {
	n := 0
	for n < len(s.pieces) && s.pieces[n].Sealed {
		n++
	}
	return n
}

// readable is how many of the oldest sealed segments every live group has committed; where none lives, none.
func (s *shelf) readable() int {
	if s.Spared {
		return 0
	}
	floor, n := s.floor(), 0
	for n < s.sealed() && s.pieces[n].Next <= floor {
		n++
	}
	return n
}

// victim is a segment that is to go, and with it all before it in its log.
type victim struct {
	shelf *shelf
	piece int // its number in the log
}

// planBlock chooses the oldest segments that every live group has committed, until they come to need bytes or there are
// no more.
func planBlock(shelves []*shelf, need int64) []victim {
	type candidate struct {
		victim
		written time.Time
	}
	var all []candidate
	for _, s := range shelves {
		var last time.Time
		for i := range s.readable() {
			if w := s.pieces[i].Written; w.After(last) { // in the log's order, whatever the clock did
				last = w
			}
			all = append(all, candidate{victim{s, i}, last})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return a.written.Compare(b.written) })
	var plan []victim
	for _, c := range all {
		if need <= 0 {
			break
		}
		plan = append(plan, c.victim)
		need -= c.shelf.pieces[c.piece].Bytes
	}
	return plan
}

// planDrop chooses the oldest segment of the largest topic, again and again, until they come to need bytes or there are
// no more. Dead letters go when nothing else is left.
func planDrop(shelves []*shelf, need int64) []victim {
	size := map[string]int64{}
	next := map[*shelf]int{}
	for _, s := range shelves {
		size[s.Topic] += s.bytes()
	}
	var plan []victim
	for need > 0 {
		var best *shelf
		for _, s := range shelves {
			if !s.Spared && next[s] < s.sealed() && (best == nil || s.before(best, size, next)) {
				best = s
			}
		}
		if best == nil {
			break
		}
		i := next[best]
		plan = append(plan, victim{best, i})
		next[best]++
		size[best.Topic] -= best.pieces[i].Bytes
		need -= best.pieces[i].Bytes
	}
	return plan
}

// before says whether s gives its next segment before o does.
func (s *shelf) before(o *shelf, size map[string]int64, next map[*shelf]int) bool {
	switch {
	case s.letter != o.letter:
		return o.letter
	case s.Topic != o.Topic && size[s.Topic] != size[o.Topic]:
		return size[s.Topic] > size[o.Topic]
	case s.Topic != o.Topic:
		return s.Topic < o.Topic
	}
	return s.pieces[next[s]].Written.Before(o.pieces[next[o]].Written)
}
