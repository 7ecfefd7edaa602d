package follow

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/loghaul/loghaul/internal/line"
)

const (
	keepMost   = 4 << 20                // bytes that one Look keeps: what is followed beside it waits no longer
	keepPiece  = 256 << 10              // bytes of one call of Keep
	keepWatch  = 100 * time.Millisecond // how soon a file that its path has left is looked at again while it is not acknowledged
	seekEvery  = 10 * time.Second       // how often a file is looked for that has a name nobody knows
	starveMost = time.Minute            // how long what cannot be kept is held open while nothing is acknowledged
)

// keepNameless sees to it that every file without a name is kept from where it is
// acknowledged on, a piece of it with each Look.
func (s *Stream) keepNameless(now time.Time) {
	if s.cfg.Spool == nil {
		return
	}
	s.exposed = s.exposed[:0]
	s.lingering = slices.DeleteFunc(s.lingering, func(g *generation) bool {
		done := s.cfg.Spool.Needed(g.id) >= g.pos
		if done {
			g.file.close()
		}
		return done
	})
	for _, gs := range [][]*generation{s.lingering, s.late, s.queue} {
		for _, g := range gs {
			if g == s.at || g.file.in != nil || !g.file.open() {
				continue
			}
			need := s.cfg.Spool.Needed(g.id)
			if int64(need) >= g.size && g.deleted.IsZero() {
				continue
			}
			if !s.nameless(g, now) {
				s.exposed = append(s.exposed, g.name)
				s.wake(now.Add(min(max(now.Sub(g.grown)/10, keepWatch), time.Second)))
				continue
			}
			if g = s.reborn(g); g.arch != nil {
				continue
			}
			if g.spooling == nil {
				g.spooling = &spooling{}
			}
			need = s.cfg.Spool.Needed(g.id)
			if s.keep(g, need, keepMost) {
				s.wake(now)
			}
			s.settleKept(g, need, now)
		}
	}
}

// reborn is g, or the next life of its file if that was truncated since it was last
// read: what is kept must be what goes on where g was read to.
func (s *Stream) reborn(g *generation) *generation {
	i, j := slices.Index(s.queue, g), slices.Index(s.late, g)
	if g.copied || int64(g.pos)+g.frag == 0 || i < 0 && j < 0 {
		return g
	}
	b := make([]byte, g.tailLen+len(g.waiting))
	n, err := g.file.pread(b, int64(g.pos)-int64(g.tailLen))
	if err != nil || !g.refuted(b[:n], n < len(b)) {
		return g
	}
	c, copied, err := s.nextLife(g)
	switch {
	case err != nil:
		return g
	case !copied && c.ID != (ID{}):
		c.Data = slices.Clone(c.Data)
		s.notices = append(s.notices, c)
	}
	switch {
	case i >= 0 && copied:
		return s.queue[i+1]
	case i >= 0:
		return s.queue[i]
	case j >= 0 && !copied:
		return s.late[j]
	}
	return g
}

// nameless says whether no name leads to the open file of g that a later process could
// find it by.
func (s *Stream) nameless(g *generation, now time.Time) bool {
	if g.spooling == nil {
		g.spooling = &spooling{}
	}
	if !g.deleted.IsZero() {
		return true
	}
	if info, err := statName(g.name); err == nil && info.key == g.key {
		g.sought = time.Time{}
		return false
	}
	info, err := g.file.stat()
	if err != nil {
		return false
	}
	if info.links == 0 {
		g.deleted = now
		return true
	}
	if now.Sub(g.sought) < seekEvery {
		return true
	}
	if _, err = s.find(g); err == nil {
		g.sought = time.Time{}
		return false
	}
	g.sought = now
	return missing(err)
}

// keep copies bytes of g that are not acknowledged into the spool, most at most. more
// says that there are others.
func (s *Stream) keep(g *generation, need line.Position, most int64) (more bool) {
	from := max(g.kept, need)
	if from > g.kept {
		g.keptLen = 0 // behind a hole, with nothing before it to know it by
	}
	whole := g.forsaken
	if int64(from) >= g.size && g.keptSize == g.size && g.keptWhole == whole || int64(need) >= g.size {
		return false
	}
	if from > g.kept || g.kept == 0 {
		start, err := lineStart(g.file, int64(from))
		if err != nil {
			return false // reading tells it
		}
		g.keptLine = line.Position(start)
	}
	b := make([]byte, tailMost+min(keepPiece, max(g.size-int64(from), 0)))
	for end := min(g.size, int64(from)+most); ; {
		piece := b[:int64(g.keptLen)+min(keepPiece, max(end-int64(from), 0))]
		n, err := g.file.pread(piece, int64(from)-int64(g.keptLen))
		if err != nil || n < g.keptLen || g.keptLen > 0 && xxhash.Sum64(piece[:g.keptLen]) != g.keptTail {
			return false // it cannot be read, or it was truncated: reading tells that
		}
		data := piece[g.keptLen:n]
		kept, err := s.cfg.Spool.Keep(g.headed(), Kept{To: from, Line: g.keptLine, Size: g.size, Whole: whole}, data)
		if kept > 0 {
			if i := bytes.LastIndexByte(data[:kept], '\n'); i >= 0 {
				g.keptLine = from + line.Position(i+1)
			}
			g.keptTail, g.keptLen = Tail(piece[:g.keptLen+kept])
			from += line.Position(kept)
			g.kept = from
		}
		if s.toldUnkept(g, err); err != nil {
			return false
		}
		g.keptSize, g.keptWhole = g.size, whole
		if len(data) == 0 || int64(from) >= end {
			return int64(from) < g.size && len(data) > 0
		}
	}
}

// toldUnkept says once, of each file, that it cannot be kept whole, and why.
func (s *Stream) toldUnkept(g *generation, err error) {
	if g.unkept = err; err == nil {
		g.starved = time.Time{}
		return
	}
	if !g.toldUnkept {
		g.toldUnkept = true
		s.cfg.Logger.Warn("a deleted file cannot be kept whole: it is read on while it is open, and lost from there if the agent ends", "path", g.path,
			"generation", g.gen.String(), "kept_to", int64(g.kept), "size", g.size, "error", err)
	}
}

// settleKept lets go of the descriptor of a file that nobody writes to once all of it
// is kept, so that its bytes do not lie on the disk twice. What cannot be kept is held
// for as long as acknowledgements come, and then given up.
func (s *Stream) settleKept(g *generation, need line.Position, now time.Time) {
	if !g.ending || g.deleted.IsZero() {
		return
	}
	if int64(max(g.kept, need)) < g.size {
		if g.unkept == nil || !s.starved(g, need, now) {
			return
		}
	}
	k, ok := s.cfg.Spool.Find(g.id)
	if !ok || k.To < g.pos || k.From > g.pos {
		if int64(g.pos) >= g.size || g.unkept == nil || !s.starved(g, need, now) {
			return // it is read to its end before long, or has nothing in the spool
		}
		k = Kept{From: g.pos, To: g.pos, Size: g.size, Whole: true, Bytes: nothing{}}
	}
	k.Size = max(k.Size, g.size)
	if _, err := g.anchor(k); err != nil {
		s.toldUnkept(g, err)
		return
	}
	g.file.close()
	g.file = stored(k.Bytes)
	s.ontoKept(g, k)
}

// starved says whether g has waited in vain for room.
func (s *Stream) starved(g *generation, need line.Position, now time.Time) bool {
	if now.Sub(g.deleted) >= s.cfg.DeletedAge && now.Sub(g.grown) >= s.cfg.DeletedAge {
		return true
	}
	if !errors.Is(g.unkept, ErrFull) {
		return false
	}
	if g.starved.IsZero() || need > g.starvedAt {
		g.starved, g.starvedAt = now, need
	}
	s.wake(g.starved.Add(starveMost))
	return now.Sub(g.starved) >= starveMost
}

// nothing is what is kept of a file of which nothing could be.
type nothing struct{}

// ReadAt is at the end everywhere.
func (nothing) ReadAt([]byte, int64) (int, error) { return 0, nil }

// Close does nothing.
func (nothing) Close() error { return nil }

// linger holds on to the descriptor of g, which is read to its end for good, until what
// was read is acknowledged: its name may go before that.
func (s *Stream) linger(g *generation) bool {
	if s.cfg.Spool == nil || g.file.in != nil || !g.file.open() || s.cfg.Spool.Needed(g.id) >= g.pos || s.nameless(g, s.now()) {
		return false
	}
	if len(s.lingering) == lateMost {
		old := s.lingering[0]
		s.keepAll(old) // its name may go before it is acknowledged, and nobody looks at it any more
		old.file.close()
		s.lingering = s.lingering[1:]
	}
	s.lingering = append(s.lingering, g)
	s.wake(s.now().Add(keepWatch))
	return true
}

// keepRest keeps all of g that is not acknowledged before its descriptor is closed for
// good, if it has no name.
func (s *Stream) keepRest(g *generation) {
	if s.cfg.Spool == nil || g.file.in != nil || !g.file.open() {
		return
	}
	info, err := g.file.stat()
	if err != nil {
		return
	}
	g.size = info.size
	need := s.cfg.Spool.Needed(g.id)
	if int64(need) >= g.size || g == s.at && info.links > 0 || !s.nameless(g, s.now()) {
		return
	}
	s.keepAll(g)
}

// keepAll keeps all of g that is not acknowledged, as far as there is room.
func (s *Stream) keepAll(g *generation) {
	if g.spooling == nil {
		g.spooling = &spooling{}
	}
	for s.keep(g, s.cfg.Spool.Needed(g.id), keepMost) {
	}
}
