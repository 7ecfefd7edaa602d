package follow

import (
	"bytes"
	"fmt"

	"github.com/loghaul/loghaul/internal/line"
)

// read hands on the next whole lines of g. One pread fetches them together with
// the bytes before them, which must still be what they were: a file that has been
// truncated, even one that has grown again since, is noticed before a byte of it
// is taken for a continuation.
func (s *Stream) read(g *generation, buf []byte) (Chunk, error) {
	if len(buf) < leastBuffer {
		return Chunk{}, fmt.Errorf("reading %s: a buffer of %d bytes, at least %d are needed", g.name, len(buf), leastBuffer)
	}
	for again := false; ; {
		if ready, c, err := s.readable(g); !ready {
			return c, err
		}
		final := g.ending || s.finish // before the read: then its end is the end
		n, err := g.file.pread(buf, int64(g.pos)-int64(g.tailLen))
		if err != nil && g.arch != nil {
			return Chunk{}, s.archiveTrouble(g, err)
		}
		if err != nil {
			g.stirred = false
			if g.deleted.IsZero() && !g.hidden() {
				g.file.close() // a stale handle of a network filesystem is mended by opening again
			}
			return Chunk{}, fmt.Errorf("reading %s at %d: %w", g.name, g.pos, err)
		}
		eof := n < len(buf)
		if eof && !again && g == s.at && int64(g.pos)-int64(g.tailLen)+int64(n) < g.size {
			// The path shows more than the descriptor, which overlay and network
			// filesystems leave on an old copy of the file.
			again = true
			g.file.close()
			continue
		}
		if g.refuted(buf[:n], eof) {
			return s.truncated(g, buf)
		}
		if missed, err := s.missed(g); err != nil {
			return Chunk{}, err
		} else if missed {
			return Chunk{}, ErrIdle
		}
		c, done := s.next(g, buf[:n], eof && final)
		switch {
		case len(c.Data) > 0:
			return c, nil
		case done:
			s.endOf(g)
			return s.noticeOr(nil)
		case eof:
			g.stirred = false
			return Chunk{}, ErrIdle
		case c.Skipped == 0:
			return Chunk{}, ErrBuffer
		}
	}
}

// readable sees to it that g can be read; if it cannot, c and err are what read answers.
func (s *Stream) readable(g *generation) (ready bool, c Chunk, err error) {
	if g.arch != nil {
		if err := s.enterArchive(g); err == ErrIdle {
			c, err = s.notice()
			return false, c, err
		} else if err != nil {
			return false, Chunk{}, err
		}
	}
	if g.file.open() {
		return true, Chunk{}, nil
	}
	if !g.stirred && !g.ending {
		return false, Chunk{}, ErrIdle // as Look saw it, and it is not worth a descriptor
	}
	if here, err := s.reopen(g); err != nil || !here {
		c, err = s.noticeOr(err)
		return false, c, err
	}
	return true, Chunk{}, nil
}

// next cuts the next chunk from buf, which holds the tail before g.pos and what
// follows. end: nothing comes after buf. Without Data the chunk tells only how much
// was skipped; done says that the generation is at its end for good.
func (s *Stream) next(g *generation, buf []byte, end bool) (c Chunk, done bool) {
	data := buf[g.tailLen:]
	if seen := int64(g.pos) + int64(len(data)); seen > g.size {
		g.size, g.peak = seen, max(g.peak, seen)
		if g.away {
			g.grown = s.now()
		}
	}
	state := g.state
	p := s.cut.next(&state, data, end)
	g.state = state
	left := data[p.skip+p.n:]
	if p.skip+p.n > 0 {
		c.Data = data[p.skip : p.skip+p.n]
		g.advance(buf, p.skip, p.n)
	}
	if p.n == 0 {
		c.Skipped = int64(p.skip)
		if end {
			return c, len(left) == 0
		}
		g.wait(left)
		return c, false
	}
	c.ID, c.Generation, c.Path, c.Began = g.id, g.gen, g.path, g.born
	c.Start = g.pos - line.Position(p.n)
	c.Part, c.PartLast = p.part, p.last
	c.Skipped, g.skipped = g.skipped, 0
	c.Head, c.HeadLength = g.head, g.headLen
	s.warnBinary(g, c.Data)
	if end && len(left) == 0 {
		c.Final, c.Gone = true, g.gone()
		c.Lost, c.LostLeast = g.missing, g.missingLeast && g.missing > 0
		s.giveUp(g)
		s.drop(g)
	}
	return c, false
}

// endOf takes leave of g, which has nothing left, with a notice if that says anything.
func (s *Stream) endOf(g *generation) {
	s.giveUp(g)
	if g.gone() || g.skipped > 0 {
		s.notices = append(s.notices, g.end(g.gone()))
	}
	s.drop(g)
}

// giveUp counts the bytes of g that can never be read.
func (s *Stream) giveUp(g *generation) {
	if g.missing > 0 {
		s.lost += g.missing
		s.cfg.Logger.Warn("bytes of a file are lost: they were written and are nowhere any more", "path", g.path,
			"generation", g.gen.String(), "position", int64(g.pos), "bytes", g.missing, "at_least", g.missingLeast)
	}
}

// drop forgets g, unless the path still leads to it.
func (s *Stream) drop(g *generation) {
	if g == s.at && g.arch == nil {
		return
	}
	s.forget(g)
	s.remember(g)
	if g.arch != nil {
		s.passOver(g.key)
	}
	s.cfg.Owners.leave(g.key, s, g.checkpoint(), g.gone())
	if !s.linger(g) {
		s.keepRest(g)
		g.file.close()
	}
}

func without(gs []*generation, g *generation) []*generation {
	for i := range gs {
		if gs[i] == g {
			return append(gs[:i:i], gs[i+1:]...)
		}
	}
	return gs
}

func (s *Stream) noticeOr(err error) (Chunk, error) {
	if err != nil {
		return Chunk{}, err
	}
	return s.notice()
}

// truncated ends g, whose file does not go on with what was read of it, and
// begins the file's next life at 0. If the rotator left a copy, g goes on in it.
func (s *Stream) truncated(g *generation, buf []byte) (Chunk, error) {
	if g.copied || g.file.in != nil { // not a copy after all, as far as it goes
		s.endOf(g)
		return s.noticeOr(nil)
	}
	c, copied, err := s.nextLife(g)
	if err != nil {
		return Chunk{}, err
	}
	if copied {
		return s.read(g, buf)
	}
	if c.ID == (ID{}) {
		return s.notice()
	}
	if len(c.Data) > 0 {
		c.Data = buf[:copy(buf, c.Data)]
	}
	return c, nil
}

// nextLife puts the next life of the file of g, which was truncated, in the place of
// g, whose end it answers; or behind g, if that goes on in a copy. The end is zero if it
// may lie in an archive.
func (s *Stream) nextLife(g *generation) (c Chunk, copied bool, err error) {
	f := file{handle: g.file, name: g.name}
	info, err := f.stat()
	if err != nil {
		return Chunk{}, false, fmt.Errorf("reading %s: %w", g.name, err)
	}
	f.info = info
	id := g.id
	id.Cut++
	ng := newGeneration(id, g.path, f, s.now())
	var l lives
	if g == s.at {
		if l, err = s.livesSince(&before{g.checkpoint(), g.waiting}, f); err != nil {
			return Chunk{}, false, err
		}
		if s.mixed(l) { // what was seen of the size may be another life's
			g.peak = int64(g.pos) + g.frag
		}
		defer func() { s.settle(l, ng) }()
	} else {
		ng.born = info.mtime + 1 // what lies beside it by now are copies
		s.newest = max(s.newest, ng.born)
	}
	ng.away, ng.deleted, ng.ending, ng.grown, ng.stirred = g.away, g.deleted, g.ending, g.grown, true

	if l.found && s.ontoCopy(g, ng, l.own) || s.intoCopy(g, ng) {
		return Chunk{}, true, nil
	}
	s.remember(g) // its copy may turn up as an archive yet
	c = g.cutOff(g.waiting)
	lost := int64(0)
	if g.peak > info.size { // else it may have grown to there since
		lost = max(g.peak-int64(g.pos)-int64(len(c.Data)), 0)
	}
	c.Lost, c.LostLeast = lost, lost > 0
	if end := c; g.headLen >= copyLeast || g == s.at && g.headLen > 0 {
		s.replace(g, ng)
		end.Data = bytes.Clone(c.Data)
		if s.seekArchive(g.checkpoint(), end) {
			return Chunk{}, false, nil
		}
	}
	s.lost += lost
	s.cfg.Logger.Info("truncated: starting over at its first byte", "path", g.path, "generation", g.gen.String(),
		"position", int64(g.pos), "bytes_lost_at_least", lost)
	s.replace(g, ng)
	return c, false, nil
}

// replace puts ng in the place of g.
func (s *Stream) replace(g, ng *generation) {
	for _, gs := range [][]*generation{s.queue, s.late} {
		for i := range gs {
			if gs[i] == g {
				gs[i] = ng
			}
		}
	}
	if s.at == g {
		s.at = ng
	}
}

// warnBinary tells once that a file holds NUL bytes; they are delivered as they are.
func (s *Stream) warnBinary(g *generation, data []byte) {
	if s.binary || bytes.IndexByte(data[:min(len(data), 512)], 0) < 0 {
		return
	}
	s.binary = true
	s.cfg.Logger.Warn("NUL bytes: a binary file, or one that was truncated under a writer that does not append; its lines are sent as they are",
		"path", g.path, "position", int64(g.pos))
}
