package follow

import "slices"

// copyLeast is how many equal first bytes make a file a copy of another, if the
// bytes before the position are equal too.
const copyLeast = 256

// copyOf says whether f begins with what cp has seen, to its very position.
func copyOf(f file, cp Checkpoint) bool {
	if cp.HeadLength < copyLeast || cp.Position == 0 {
		return false
	}
	same, err := verify(f, cp)
	return err == nil && same
}

// isCopy says whether a rotated file is a mere copy of a generation that is
// followed: it must not be read from its first byte.
func (s *Stream) isCopy(sib sibling) bool {
	f, err := s.openSibling(sib)
	if err != nil {
		return false
	}
	defer f.close()
	for _, g := range s.held() {
		if copyOf(f, g.checkpoint()) {
			return true
		}
	}
	for _, cp := range s.cfg.Resume {
		if copyOf(f, cp) {
			return true
		}
	}
	return false
}

// intoCopy looks for the copy of g that a rotator made before it truncated the
// file, and goes on in it: ng, the file's next life, waits until it is at its end.
func (s *Stream) intoCopy(g, ng *generation) bool {
	if g.copied || g.headLen < copyLeast {
		return false
	}
	sibs, err := siblings(g.name)
	if err != nil {
		return false
	}
	cp := g.checkpoint()
	for i := len(sibs) - 1; i >= 0; i-- {
		if sibs[i].info.size < int64(cp.Position)+g.frag || s.holds(sibs[i].info.key) {
			continue
		}
		f, ok := s.openCopy(sibs[i], cp)
		if !ok {
			continue
		}
		s.cfg.Logger.Info("truncated after it was copied: going on in the copy", "path", g.path, "copy", f.name,
			"generation", g.gen.String(), "position", int64(g.pos))
		s.follow(g, ng, f)
		return true
	}
	return false
}

// ontoCopy goes on with g in sib, which is known to be its copy.
func (s *Stream) ontoCopy(g, ng *generation, sib sibling) bool {
	f, err := s.openSibling(sib)
	if err != nil {
		return false
	}
	if _, ok := s.cfg.Owners.claim(f.info.key, s); !ok {
		f.close()
		return false
	}
	s.cfg.Logger.Info("truncated after it was copied: going on in the copy", "path", g.path, "copy", f.name,
		"generation", g.gen.String(), "position", int64(g.pos))
	s.follow(g, ng, f)
	return true
}

// follow moves g onto its copy f and puts ng behind it.
func (s *Stream) follow(g, ng *generation, f file) {
	if gap := g.peak - f.info.size; gap > 0 && g.peak > ng.size { // else it may have grown to there since
		g.missing, g.missingLeast = gap, true // seen in the file and not in the copy; what came after that look is unknown
	}
	g.file, g.key, g.name, g.size, g.mtime = f.handle, f.info.key, f.name, f.info.size, f.info.mtime
	g.copied, g.away, g.ending, g.stirred = true, true, true, true
	if s.at == g {
		s.at = ng
	}
	for i := range s.queue {
		if s.queue[i] == g {
			s.queue = append(s.queue[:i+1:i+1], append([]*generation{ng}, s.queue[i+1:]...)...)
			return
		}
	}
	s.late = append(s.late, ng)
}

// resumeCopy looks for a copy of the generation of cp, whose file is gone or was
// truncated while nobody looked, and queues it from the position on.
func (s *Stream) resumeCopy(cp Checkpoint) bool {
	if cp.Position == 0 {
		return false
	}
	sibs, err := siblings(s.realPath())
	if err != nil {
		return false
	}
	if cp.HeadLength < copyLeast {
		sibs = s.firstSince(cp, sibs)
	}
	for i := len(sibs) - 1; i >= 0; i-- {
		if sibs[i].info.size >= int64(cp.Position) && !s.holds(sibs[i].info.key) && s.resumeIn(cp, sibs[i]) {
			return true
		}
	}
	return false
}

// firstSince is the first of sibs that was made since the life of cp began and before the next
// one that is known did: its copy, if it begins with what was read.
func (s *Stream) firstSince(cp Checkpoint, sibs []sibling) []sibling {
	if cp.Began <= 0 {
		return nil
	}
	for i, sib := range sibs {
		if made(sib) < cp.Began {
			continue
		}
		later := func(next Checkpoint) bool {
			return next.ID.node() == cp.ID.node() && next.ID.Cut > cp.ID.Cut && next.Began > made(sib)
		}
		if slices.ContainsFunc(s.cfg.Resume, later) {
			return sibs[i : i+1]
		}
		break
	}
	return nil
}

// resumeIn queues sib as the copy of the generation of cp, if it begins with what was read of it.
func (s *Stream) resumeIn(cp Checkpoint, sib sibling) bool {
	f, ok := s.openCopy(sib, cp)
	if !ok {
		return false
	}
	g := newGeneration(cp.ID, cp.Path, f, s.now())
	if err := g.seek(cp.Position, s.cut); err != nil {
		f.close()
		return false
	}
	g.copied, g.away, g.ending, g.stirred = true, true, true, true
	at := slices.IndexFunc(s.queue, func(q *generation) bool {
		return q != s.at && made(sibling{info: fileInfo{key: q.key, mtime: q.mtime}}) > made(sib)
	})
	if at < 0 {
		at = len(s.queue)
	}
	s.queue = slices.Insert(slices.Clone(s.queue), at, g)
	s.cfg.Logger.Info("truncated or replaced after it was copied: going on in the copy", "path", cp.Path, "copy", f.name,
		"generation", g.gen.String(), "position", int64(cp.Position))
	return true
}

// openCopy opens and claims the named file if it is a copy of the generation of cp.
func (s *Stream) openCopy(sib sibling, cp Checkpoint) (file, bool) {
	f, err := s.openSibling(sib)
	if err != nil {
		return f, false
	}
	if same, err := verify(f, cp); err == nil && same {
		if _, ok := s.cfg.Owners.claim(f.info.key, s); ok {
			return f, true
		}
	}
	f.close()
	return file{}, false
}
