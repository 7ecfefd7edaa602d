package follow

import "github.com/loghaul/loghaul/internal/line"

// Seen is what a stat said of the file that a path leads to. While it says the same,
// nothing has become of the file.
type Seen struct {
	key         fileKey
	size, mtime int64
}

// See asks what path leads to now: one stat. The zero Seen is of no file.
func See(path string) (Seen, error) {
	info, err := statPath(path)
	if err != nil {
		return Seen{}, err
	}
	return Seen{info.key, info.size, info.mtime}, nil
}

// Size is that of the file.
func (s Seen) Size() int64 { return s.size }

// asleep stands in Owners for every Stream at rest, atRest and expected for their homes:
// with very many paths they are not worth one each.
var (
	asleep   = &Stream{}
	atRest   = &home{stream: asleep, begun: true}
	expected = &home{stream: asleep}
)

// Rest closes a Stream that has nothing to do but to wait for its path to change: the path
// leads to a file that is read to its end, nothing else is watched, and no descriptor is
// open. It answers what the last Look saw; as long as See says the same, a new Stream that
// resumes at the position would find nothing either. The path and the file stay taken in
// Owners until a new Stream of the path is made, with Config.Rested. ok is false, and nothing has changed, when
// the Stream has more to do.
func (s *Stream) Rest() (seen Seen, id ID, at line.Position, ok bool) {
	g := s.at
	switch {
	case !s.begun || g == nil || len(s.queue) != 1 || s.queue[0] != g || len(s.late)+len(s.lingering)+len(s.notices)+len(s.sought)+len(s.exposed) > 0,
		s.foreign != (fileKey{}) || s.sealed != (fileKey{}) || s.finish,
		g.file.open() || g.arch != nil || g.copied || g.ending || g.spooling != nil || g.stirred || !g.deleted.IsZero(),
		g.size != int64(g.pos) || g.frag > 0 || g.skipped > 0 || g.state != (lineState{}):
		return Seen{}, ID{}, 0, false
	}
	if !s.cfg.Owners.rest(s.cfg.Path, g.key, s) {
		return Seen{}, ID{}, 0, false
	}
	s.queue, s.at = nil, nil
	return Seen{g.key, g.size, g.mtime}, g.id, g.pos, true
}

// Expect takes path for one that will have a Stream of its own: a file that is known by
// that path is nobody else's until then.
func (o *Owners) Expect(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.homes[path] = expected
}

// rest leaves path and file taken, though s is no more. It is false where they are not
// those of s.
func (o *Owners) rest(path string, key fileKey, s *Stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.mu.homes[path]; h == nil || h.stream != s || o.mu.files[key] != s {
		return false
	}
	o.mu.homes[path] = atRest
	o.mu.files[key] = asleep
	node := nodeKey{key.ino, key.birth}
	if len(o.mu.known[node]) == 1 {
		delete(o.mu.known, node) // the Stream to come brings it along
		o.shorten()
	}
	return true
}

// rise gives back the file that a Stream at rest has left taken.
func (o *Owners) rise(seen Seen) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.files[seen.key] == asleep {
		delete(o.mu.files, seen.key)
	}
}

// shorten makes known and order anew when most of what they held is not known any more,
// for neither becomes smaller by itself; mu is held.
func (o *Owners) shorten() {
	if len(o.mu.order) < 64 || len(o.mu.order) < 2*len(o.mu.known) {
		return
	}
	left, known := make([]nodeKey, 0, len(o.mu.known)), make(map[nodeKey][]Checkpoint, len(o.mu.known))
	for _, node := range o.mu.order {
		if cps := o.mu.known[node]; len(cps) > 0 && known[node] == nil {
			left, known[node] = append(left, node), cps
		}
	}
	o.mu.order, o.mu.known = left, known
}
