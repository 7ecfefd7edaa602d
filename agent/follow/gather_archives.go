package follow

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/agent/archive"
	"github.com/loghaul/loghaul/internal/line"
)

// pastMost bounds the generations that a Stream remembers after it has let go of them,
// to know their archives again.
const pastMost = 64

// passedMost bounds the archives that a Stream remembers to be done with.
const passedMost = 1024

// gatherArchives queues the archives of files that came to the path and went unseen. What
// an archive holds is not to be told from when it was made: it is not news if it is older than a
// file that is known, or holds one that is.
func (s *Stream) gatherArchives() {
	if slices.ContainsFunc(bases(s.realPath()), func(base string) bool { return s.cfg.Owners.homeOf(base, s) }) {
		return // under a wide pattern the path is a rotated name: whose it is gathers them
	}
	all := s.candidates()
	if len(all) == 0 {
		return
	}
	floor := s.newest
	if !s.first {
		floor = max(floor, s.since) // what was there from the first was looked at then
	}
	known := s.known()
	base := filepath.Base(s.realPath())
	anchors := s.anchors(all, known)
	for _, c := range all {
		birth := c.info.key.birth
		before := slices.ContainsFunc(anchors, func(a sibling) bool {
			byName, told := olderName(base, c.name, a.name)
			return c.info.mtime < a.info.mtime && (byName || !told)
		})
		if before || birth > 0 && birth < floor || c.info.mtime < s.newest || s.knows(c.info.key) || s.cfg.Archives && s.cfg.Owners.homeOf(c.name, s) {
			continue
		}
		if s.cfg.Known != nil {
			if _, read := s.cfg.Known.Of(c.id); read {
				continue // as a file of its own
			}
		}
		s.suspect(c, slices.DeleteFunc(slices.Clone(known), func(cp Checkpoint) bool { return !c.heads(cp) }), true)
		s.gathered = true
	}
}

// elsewhere are the generations that c may hold and that were first found under a rotated
// name, as under a wide pattern: that of the archive, or one with a lower counter.
func (s *Stream) elsewhere(c candidate) []Checkpoint {
	if s.cfg.Known == nil {
		return nil
	}
	from, _ := archive.Trim(c.name)
	dir, name := filepath.Split(from)
	names := []string{from}
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	end := strings.LastIndexFunc(name, digit) + 1
	begin := strings.LastIndexFunc(name[:end], func(r rune) bool { return !digit(r) }) + 1
	if n, err := strconv.Atoi(name[begin:end]); err == nil && n <= countersMost {
		for i := range n {
			names = append(names, dir+name[:begin]+strconv.Itoa(i)+name[end:])
		}
	}
	return slices.DeleteFunc(s.cfg.Known.At(names), func(cp Checkpoint) bool { return cp.Began == InArchive })
}

// countersMost is up to which counter of a rotated name the lower ones are thought of.
const countersMost = 1000

// known are the generations of the path that the Stream knows something of.
func (s *Stream) known() []Checkpoint {
	known := append(slices.Clone(s.cfg.Resume), s.past...)
	for _, g := range s.held() {
		if g.arch == nil || g.arch.chosen {
			known = append(known, g.checkpoint())
		}
	}
	return slices.DeleteFunc(known, func(cp Checkpoint) bool { return cp.Began == InArchive })
}

// anchors are the rotated files and archives that are known: what is older is not news.
func (s *Stream) anchors(all []candidate, known []Checkpoint) []sibling {
	var found []sibling
	heads := map[uint64]bool{} // of several archives that begin alike the oldest counts: the others may be news
	for _, c := range all {
		if s.knows(c.info.key) {
			found = append(found, c.sibling)
			continue
		}
		for _, cp := range known {
			if cp.HeadLength >= copyLeast && !heads[cp.Head] && c.heads(cp) {
				heads[cp.Head] = true
				found = append(found, c.sibling)
			}
		}
	}
	sibs, _ := siblings(s.realPath())
	for _, sib := range sibs {
		if s.knows(sib.info.key) || slices.ContainsFunc(s.past, func(cp Checkpoint) bool { return sameNode(cp, sib.info.key) }) {
			found = append(found, sib)
		}
	}
	return found
}

// remember keeps what is needed to know an archive of g again.
func (s *Stream) remember(g *generation) {
	if g.arch != nil || g.pos == 0 {
		return
	}
	if len(s.past) == pastMost {
		s.past = s.past[1:]
	}
	s.past = append(s.past, g.checkpoint())
}

// suspectRead adds to the suspects of g what was read since it was queued, and what is known
// under other names.
func (s *Stream) suspectRead(g *generation) error {
	head := make([]byte, headMost)
	n, err := g.arch.p.ReadAt(head, 0)
	if err != nil {
		return err
	}
	c := candidate{sibling: sibling{name: g.name}, head: head[:n]}
	for _, cp := range slices.Concat(s.known(), s.unread(), s.elsewhere(c)) {
		same := func(old Checkpoint) bool { return old.ID == cp.ID && old.Position == cp.Position }
		if c.heads(cp) && !slices.ContainsFunc(g.arch.suspects, same) {
			g.arch.suspects = append(g.arch.suspects, cp)
		}
	}
	byPosition(g.arch.suspects)
	return nil
}

// unopened says that cp is of an archive of which nothing was read under its own identity:
// it may hold any generation.
func (cp Checkpoint) unopened() bool { return cp.Began == InArchive && cp.Position == 0 }

// opened says whether Resume holds the archive as a generation of its own.
func (s *Stream) opened(key fileKey) bool {
	return slices.ContainsFunc(s.cfg.Resume, func(cp Checkpoint) bool { return sameNode(cp, key) && !cp.unopened() })
}

// note takes note that every archive that is news was told of.
func (s *Stream) note() {
	for _, g := range s.held() {
		if g.arch != nil && !g.arch.chosen && g.arch.fresh && !g.arch.own {
			g.arch.noted = true
		}
	}
}

// denied tells the end of what g was told of as, an archive that is a generation of its own.
func (s *Stream) denied(g *generation) {
	if g.arch.noted {
		s.notices = append(s.notices, g.end(true))
	}
	g.arch.noted = false
}

// dismiss drops g, whose archive is no generation of its own.
func (s *Stream) dismiss(g *generation) {
	s.denied(g)
	s.leaveArchive(g)
}

// unread are the ends of the generations of which nothing was handed on yet though their
// bytes are at hand, in files without a name or in the spool: their archives are known by
// what lies there.
func (s *Stream) unread() (ends []Checkpoint) {
	for _, g := range s.held() {
		if g.arch != nil || g.pos > 0 || g.size == 0 || !g.file.open() {
			continue
		}
		end := &generation{id: g.id, path: g.path, born: g.born, name: g.name, file: g.file}
		if err := end.seek(line.Position(g.size), s.cut); err != nil {
			s.cfg.Logger.Warn("an archive cannot be compared with a file that is held", "path", g.path, "error", err)
			continue
		}
		ends = append(ends, end.checkpoint())
	}
	return ends
}

// takeArchive takes in the archive that the path itself leads to: where it was left, as
// a generation that it turns out to hold, or from start on (-1: not at all). It is nil when
// nothing of it is to be read; f is closed then.
func (s *Stream) takeArchive(f file, start line.Position) *generation {
	id := f.id()
	g := newGeneration(id, s.cfg.Path, file{name: f.name, info: f.info}, s.now())
	var was Checkpoint
	seen := false
	if s.cfg.Known != nil {
		was, seen = s.cfg.Known.Of(id)
	}
	f.close()
	switch {
	case !s.cfg.Archives:
		s.cfg.Owners.tellArchive(s.cfg.Logger, s.cfg.Path)
	case seen && was.Ended:
	case start < 0:
		s.notices = append(s.notices, Chunk{ID: id, Generation: id.Generation(), Path: s.cfg.Path, Began: InArchive, Final: true, Gone: true})
	case seen:
		g.intoArchive(&inArchive{own: true})
		if s.takeUp(g, was) == nil {
			return g
		}
	default:
		a := &inArchive{own: true, fresh: true}
		g.intoArchive(a)
		if s.cfg.Known != nil {
			from, _ := archive.Trim(s.cfg.Path)
			if c, ok, _ := openCandidate(sibling{name: g.name, info: f.info}, s.cfg.Allow); ok {
				a.suspects = byPosition(slices.DeleteFunc(s.cfg.Known.At(append(bases(from), s.cfg.Path)), func(cp Checkpoint) bool { return cp.Began == InArchive || !c.heads(cp) }))
			}
		}
		return g
	}
	s.sealed = f.info.key
	return nil
}
