package follow

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// lateMost bounds the passed-over files that one Stream goes on watching.
const lateMost = 32

// Look asks the filesystem what became of the path and of the files that the
// Stream still watches: one stat, and one for each file the path has left. ready
// says that Next has something to do. An error names the path; what else is
// followed goes on, and the next Look tries again.
func (s *Stream) Look() (ready bool, err error) {
	now := s.now()
	s.due = time.Time{}
	if !s.begun {
		if s.since == 0 {
			s.since = now.UnixNano()
		}
		if err := s.begin(); err != nil {
			return false, err
		}
	}
	err = errors.Join(s.lookAtPath(now), s.tellFound())
	for i := 0; i < len(s.late); i++ {
		g := s.late[i]
		if !s.lookAt(g, now) {
			i--
			continue
		}
		if len(s.late)-i > lateMost && !g.stirred {
			s.retire(g)
			i--
			continue
		}
		ready = ready || g.stirred
	}
	for i := 0; i < len(s.queue); i++ {
		if g := s.queue[i]; g != s.at && !s.lookAt(g, now) {
			i--
		}
	}
	if !s.gathered { // what is kept is known from then on, and what is older is not news any more
		s.keepNameless(now)
	}
	s.tell()
	if len(s.queue) > 0 {
		ready = ready || s.queue[0].stirred || s.passable(now)
	}
	return ready || len(s.notices) > 0, err
}

// tellFound tells of what was found beside the path: when a younger file is known and this
// is not, a later process takes it for what was there from the first.
func (s *Stream) tellFound() error {
	if s.gathered && s.cfg.Found != nil {
		if err := s.cfg.Found(append(s.headed(), s.others...)); err != nil {
			return fmt.Errorf("noting what was found beside %s: %w", s.cfg.Path, err)
		}
		s.note()
	}
	s.gathered, s.others = false, nil
	return nil
}

// headed are the Checkpoints but that of the file at the path, which may still be empty: it
// is news to a later process if nothing of it is known.
func (s *Stream) headed() (cps []Checkpoint) {
	for _, g := range s.held() {
		if g != s.at && g.told() {
			cps = append(cps, g.headed())
		}
	}
	return cps
}

// Beginnings are the Checkpoints, with the first bytes of files of which nothing was read
// yet: what a journal is to know of files before their first line.
func (s *Stream) Beginnings() (cps []Checkpoint) {
	for _, g := range s.held() {
		if g.told() {
			cps = append(cps, g.headed())
		}
	}
	return cps
}

// told says that the generation is known to others: an archive, once it is known what it
// holds, or while it is news unless it turns out to hold a known one.
func (g *generation) told() bool {
	return g.arch == nil || g.arch.chosen || g.arch.fresh && !g.arch.own
}

// headed is the checkpoint of g, with the first bytes of a file of which nothing was read yet:
// by them it is known again in an archive.
func (g *generation) headed() Checkpoint {
	cp := g.checkpoint()
	if g.arch != nil || g.pos > 0 || cp.HeadLength > 0 || !g.file.open() {
		return cp
	}
	var b [headMost]byte
	if n, err := g.file.pread(b[:], 0); err == nil && n > 0 { // else reading tells
		cp.Head, cp.HeadLength = xxhash.Sum64(b[:n]), n
	}
	return cp
}

// lookAtPath finds out what the path leads to.
func (s *Stream) lookAtPath(now time.Time) error {
	info, err := statPath(s.cfg.Path)
	if err != nil {
		if missing(err) {
			s.displace(now)
			s.foreign, s.first = fileKey{}, false
			return nil
		}
		return fmt.Errorf("looking at %s: %w", s.cfg.Path, err)
	}
	if s.at != nil && s.at.key == info.key {
		s.at.see(info)
		return nil
	}
	if s.sealed == info.key {
		s.displace(now)
		return nil
	}
	return s.arrive(info, now)
}

// see takes note of what a stat says.
func (g *generation) see(info fileInfo) (changed bool) {
	if g.arch != nil {
		return false
	}
	changed = info.size != int64(g.pos)+g.frag || info.mtime != g.mtime
	g.stirred = g.stirred || changed
	g.unsure = g.unsure || g.pos == 0 && (info.size < g.peak || info.mtime != g.mtime)
	g.size, g.mtime = info.size, info.mtime
	g.peak = max(g.peak, g.size)
	return changed
}

// displace takes note that the path does not lead to its file any more.
func (s *Stream) displace(now time.Time) {
	if s.at != nil {
		s.at.away, s.at.grown, s.at.stirred = true, now, true
		s.at = nil
	}
}

// lookAt finds out what became of g, which its path has left. It is false when g
// has been dropped.
func (s *Stream) lookAt(g *generation, now time.Time) bool {
	if g.copied || g.ending {
		g.stirred = true
		return true
	}
	info, err := s.statHeld(g)
	if err != nil {
		if missing(err) {
			s.vanished(g)
			return false
		}
		g.stirred = true // reading tells what is wrong
		return true
	}
	size := g.size
	g.see(info)
	if info.size != size {
		g.grown = now
	}
	if info.links == 0 && g.deleted.IsZero() {
		g.deleted = now
	}
	switch {
	case !g.deleted.IsZero() && s.forsaken(g), !g.deleted.IsZero() && now.Sub(g.deleted) >= s.cfg.DeletedAge,
		now.Sub(g.grown) >= s.cfg.DeletedAge:
		g.ending, g.stirred = true, true
	default:
		s.wake(g.grown.Add(s.cfg.DeletedAge))
	}
	return true
}

// forsaken says that nobody writes to the file of g any more; its size is its last then.
func (s *Stream) forsaken(g *generation) bool {
	if !g.file.forsaken() {
		return false
	}
	g.forsaken = true
	if info, err := g.file.stat(); err == nil { // what was written since the first look
		g.see(info)
	}
	return true
}

// statHeld stats a file that its path has left: by its descriptor, or by the
// name where it was last found.
func (s *Stream) statHeld(g *generation) (fileInfo, error) {
	if g.file.open() {
		return g.file.stat()
	}
	info, err := statName(g.name)
	if err == nil && info.key == g.key {
		return info, nil
	}
	if err != nil && !missing(err) {
		return info, err
	}
	return s.find(g)
}

// passable says that the file being read can be passed over: another waits
// behind it, its end was read, and it has been quiet for long enough.
func (s *Stream) passable(now time.Time) bool {
	if len(s.queue) < 2 {
		return false
	}
	g := s.queue[0]
	if !g.away || g.stirred {
		return false
	}
	if quiet := g.grown.Add(s.cfg.Quiet); now.Before(quiet) && !s.finish {
		s.wake(quiet)
		return false
	}
	return true
}

// pass goes on to the next file in the queue if the first can be passed over.
// That one is watched for late lines from then on.
func (s *Stream) pass(now time.Time) bool {
	if !s.passable(now) {
		return false
	}
	g := s.queue[0]
	s.queue = s.queue[1:]
	s.late = append(s.late, g)
	return true
}

// retire stops watching g, which has been read to its end.
func (s *Stream) retire(g *generation) {
	if g.frag > 0 {
		g.ending, g.stirred = true, true
		return
	}
	s.endOf(g)
}

// vanished ends g, whose file was not open and is nowhere any more.
func (s *Stream) vanished(g *generation) {
	g.deleted = s.now()
	c := g.cutOff(g.waiting)
	lost := g.size - int64(g.pos) - int64(len(c.Data))
	if lost > 0 {
		c.Lost, c.LostLeast = lost, true
	}
	if end := c; lost > 0 || len(c.Data) > 0 {
		end.Data = slices.Clone(c.Data)
		if s.seekArchiveOf(g.name, g.checkpoint(), end) {
			s.drop(g)
			return
		}
	}
	if lost > 0 {
		s.lost += lost
		s.cfg.Logger.Warn("deleted before it was read to its end", "path", g.path, "was", g.name,
			"generation", g.gen.String(), "position", int64(g.pos), "bytes_lost_at_least", lost)
	}
	s.notices = append(s.notices, c)
	s.drop(g)
}

// wake makes Due no later than at.
func (s *Stream) wake(at time.Time) {
	if s.due.IsZero() || at.Before(s.due) {
		s.due = at
	}
}
