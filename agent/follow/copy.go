package follow

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
	if cp.HeadLength < copyLeast {
		return false
	}
	sibs, err := siblings(s.realPath())
	if err != nil {
		return false
	}
	for i := len(sibs) - 1; i >= 0; i-- {
		if sibs[i].info.size < int64(cp.Position) || s.holds(sibs[i].info.key) {
			continue
		}
		f, ok := s.openCopy(sibs[i], cp)
		if !ok {
			continue
		}
		g := newGeneration(cp.ID, cp.Path, f, s.now())
		if err := g.seek(cp.Position, s.cut); err != nil {
			f.close()
			continue
		}
		g.copied, g.away, g.ending, g.stirred = true, true, true, true
		s.queue = append(s.queue, g)
		s.cfg.Logger.Info("truncated or replaced after it was copied: going on in the copy", "path", cp.Path, "copy", f.name,
			"generation", g.gen.String(), "position", int64(cp.Position))
		return true
	}
	return false
}

// openCopy opens and claims the named file if it is a copy of the generation of cp.
func (s *Stream) openCopy(sib sibling, cp Checkpoint) (file, bool) {
	f, err := s.openSibling(sib)
	if err != nil {
		return f, false
	}
	if copyOf(f, cp) {
		if _, ok := s.cfg.Owners.claim(f.info.key, s); ok {
			return f, true
		}
	}
	f.close()
	return file{}, false
}
