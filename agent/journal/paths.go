package journal

import "slices"

// At lists what is known of the generations on their way to topic whose first path is
// this one, oldest first as they were taken up. It costs what there is of them.
func (j *Journal) At(topic, path string) []Generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Generation
	for ref := j.mu.byPath[path]; ref != 0; ref = j.mu.gens[ref].older {
		if g := j.mu.gens[ref]; g.Topic == topic {
			out = append(out, g.clone())
		}
	}
	slices.Reverse(out)
	return out
}

// thread hangs g on its path. The strings that others of the same path and topic have are
// taken for its own: with very many files they are most of what is remembered.
func (s *state) thread(g *Generation) {
	if old := s.gens[g.Ref]; old != nil {
		g.older, g.Path, g.Topic = old.older, old.Path, old.Topic // a generation keeps both
		return
	}
	top := s.byPath[g.Path]
	if other := s.gens[top]; other != nil {
		g.Path = other.Path
	}
	if s.topics == nil {
		s.topics = map[string]string{}
	}
	if name, known := s.topics[g.Topic]; known {
		g.Topic = name
	}
	s.topics[g.Topic] = g.Topic
	g.older = top
	s.byPath[g.Path] = g.Ref
}

// unthread takes g from its path.
func (s *state) unthread(g *Generation) {
	if s.byPath[g.Path] == g.Ref {
		if delete(s.byPath, g.Path); g.older != 0 {
			s.byPath[g.Path] = g.older
		}
		return
	}
	for ref := s.byPath[g.Path]; ref != 0; ref = s.gens[ref].older {
		if x := s.gens[ref]; x.older == g.Ref {
			x.older = g.older
			return
		}
	}
}
