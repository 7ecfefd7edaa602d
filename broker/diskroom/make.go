package diskroom

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// measure walks over all logs and books what they take. What is on its way meanwhile may be counted twice, until the
// next, but is always counted.
func (r *Room) measure() []*shelf {
	landed, charged := r.landed.Load(), r.charged.Load() // in this order
	partitions := r.cfg.Partitions()
	shelves := make([]*shelf, len(partitions))
	var pieces []commitlog.Piece // of all, in one piece of memory
	total := r.aside.Load()
	for i, p := range partitions {
		from := len(pieces)
		pieces = p.Log.Pieces(pieces)
		shelves[i] = &shelf{Partition: p, pieces: pieces[from:len(pieces):len(pieces)], letter: strings.HasSuffix(p.Topic, letterSuffix)}
		total += shelves[i].bytes()
	}
	r.base.Store(total - landed)
	r.looked.Store(charged)
	r.measured.Store(true)
	return shelves
}

// short is how many bytes are to be freed; 0 or less: none.
func (r *Room) short() int64 {
	var n int64
	used := r.booked()
	if used > r.marks.begin {
		n = used - r.marks.target
	}
	want := r.wanted.Load()
	if w := r.wall.Load(); w != nil {
		want = max(want, w.want)
	}
	if want > 0 {
		n = max(n, used+want-r.marks.limit)
	}
	if f := r.full.Load(); f != nil {
		if _, free := r.cfg.Space(r.cfg.Dir); free >= 0 {
			n = max(n, f.want-free)
		}
	}
	return n
}

// seal begins a new segment in a log. One that is failed or closed keeps its own.
func (r *Room) seal(s *shelf) bool {
	err := s.Log.Seal()
	if err != nil && !errors.Is(err, commitlog.ErrClosed) {
		r.log.Debug("beginning a new segment to make room", "topic", s.Topic, "partition", s.Index, "error", err)
	}
	return err == nil
}

// makeRoom deletes what may go: of the sealed segments, and if they are not enough, of those that are sealed for it. It
// returns the logs as they are then, and who holds them.
func (r *Room) makeRoom(ctx context.Context, shelves []*shelf) ([]*shelf, *holds) {
	var h *holds
	again := func() bool { // who holds what is asked anew before each deletion, and before the logs are looked at
		sinks, known := r.cfg.Sinks()
		h = holdsOf(r.cfg.Groups(), sinks, r.cfg.Now())
		if r.cfg.OnFull == Block && !known {
			return false // a group may live that nobody has spoken of yet
		}
		shelves = r.measure()
		markLetters(shelves, sinks)
		h.settle(shelves)
		return true
	}
	if !again() {
		return shelves, h
	}
	if plan := r.plan(shelves); len(plan) > 0 {
		r.carryOut(plan)
		if !again() || r.short() <= 0 {
			return shelves, h
		}
	}
	if r.sealForRoom(shelves) == 0 {
		return shelves, h
	}
	r.waited += settled(ctx, r.measure())
	if again() {
		r.carryOut(r.plan(shelves))
		again()
	}
	return shelves, h
}

// markLetters says which logs take dead letters.
func markLetters(shelves []*shelf, sinks []Sink) {
	letters := map[string]bool{}
	for _, s := range shelves {
		is, asked := letters[s.Topic]
		if !asked {
			is = s.letter || lettersOf(sinks, s.Topic)
			letters[s.Topic] = is
		}
		s.letter = is
	}
}

// settled waits a moment until what was sealed is on the disk, and says how long.
func settled(ctx context.Context, shelves []*shelf) time.Duration {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	for _, s := range shelves {
		if n := len(s.pieces); n > 1 && !s.Spared && !s.pieces[n-2].Sealed {
			_ = s.Log.WaitDurable(ctx, s.pieces[n-2].Next-1) // else the next look finds it so
		}
	}
	return time.Since(began)
}

// settle says for each log who holds it.
func (h *holds) settle(shelves []*shelf) {
	for _, s := range shelves {
		s.holds = h.of(At{s.Topic, s.Index})
	}
}

// plan chooses by the policy.
func (r *Room) plan(shelves []*shelf) []victim {
	if r.cfg.OnFull == DropOldest {
		return planDrop(shelves, r.short())
	}
	return planBlock(shelves, r.short())
}

// sealForRoom seals, largest first, what would help if it were sealed: by the policy now, or when those who read it have
// come to its end. It says how many it sealed.
func (r *Room) sealForRoom(shelves []*shelf) (sealed int) {
	need, worth := r.short(), r.marks.worth(len(shelves))
	active := func(s *shelf) commitlog.Piece { return s.pieces[len(s.pieces)-1] }
	var list []*shelf
	for _, s := range shelves {
		if s.Spared || len(s.pieces) == 0 || active(s).Next == active(s).Base {
			continue
		}
		read := r.cfg.OnFull == DropOldest || len(s.holds) > 0 && s.floor() >= s.end()
		if read || len(s.holds) > 0 && active(s).Bytes >= worth {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *shelf) int { return cmp.Compare(active(b).Bytes, active(a).Bytes) })
	for _, s := range list {
		if need <= 0 {
			break
		}
		if r.seal(s) {
			sealed, need = sealed+1, need-active(s).Bytes
		}
	}
	return sealed
}

// carryOut deletes what was chosen.
func (r *Room) carryOut(plan []victim) {
	last := map[*shelf]int{}
	for _, v := range plan {
		last[v.shelf] = max(last[v.shelf], v.piece)
	}
	for _, v := range plan {
		to, ok := last[v.shelf]
		if !ok {
			continue // deleted with an earlier one of its log
		}
		delete(last, v.shelf)
		s := v.shelf
		began := time.Now()
		freed, err := s.Log.DeleteForRoom(s.pieces[to].Next)
		r.waited += time.Since(began) // for the disk, mostly
		if err != nil && !errors.Is(err, commitlog.ErrClosed) {
			r.log.Error("deleting segments to make room", "topic", s.Topic, "partition", s.Index, "error", err)
		}
		if freed.Segments > 0 || freed.To > freed.From {
			r.account(s, freed)
		}
	}
}

// account counts what went and says so: what was dropped unread is a warning.
func (r *Room) account(s *shelf, f commitlog.Freed) {
	if r.cfg.OnFull != DropOldest {
		r.log.Info("deleted what every group has committed, to make room", "topic", s.Topic, "partition", s.Index,
			"from", int64(f.From), "before", int64(f.To), "bytes", f.Bytes)
		return
	}
	r.mu.Lock()
	topic := s.Topic
	if _, there := r.mu.dropped[topic]; !there && len(r.mu.dropped) >= mostDropped {
		topic = "(others)"
	}
	d := r.mu.dropped[topic]
	d.Topic = topic
	d.Records += int64(f.To - f.From)
	d.Bytes += f.Bytes
	r.mu.dropped[topic] = d
	r.mu.Unlock()
	r.log.Warn("dropped the oldest records to make room: the disk budget is used up", "topic", s.Topic, "partition", s.Index,
		"from", int64(f.From), "before", int64(f.To), "bytes", f.Bytes)
}
