package follow

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/loghaul/loghaul/agent/archive"
)

// ErrWait says that Next has something to hand on and cannot do so before a second or
// so has passed: an archive is still being written, or others are read before it.
var ErrWait = errors.New("an archive cannot be read yet")

// ErrFar says that Next is on its way to a position in an archive: call it again.
var ErrFar = archive.ErrFar

// Known is what is known of generations beyond those of a Stream's own path. It is safe
// for concurrent use.
type Known interface {
	// Of answers what is known of one generation, and that it was heard of today.
	Of(id ID) (Checkpoint, bool)
	// At lists the generations whose first path is one of these.
	At(paths []string) []Checkpoint
}

// writing is how long ago an archive that ends too early may have been written last to be
// taken for one that somebody is still writing.
const writing = 30 * time.Second

// inArchive is what a generation needs to be read from an archive.
type inArchive struct {
	p        *packed      // open while handle is
	suspects []Checkpoint // the generations that the archive may hold, the shortest first
	best     *Checkpoint  // of those compared, the longest that it does hold
	compared int
	fresh    bool // it is news if it holds none of them
	noted    bool // and was told of as such (tellFound)
	chosen   bool // it is known what it holds
	settled  bool // and its position was reached
	own      bool // it is what the path leads to
	until    time.Time
	bad      *archive.Damage // told
}

// sought is a generation that is gone, and what to tell if no archive holds it.
type sought struct {
	cp  Checkpoint
	end Chunk
}

// enterArchive brings g to its position in the archive, or answers why it is not there:
// ErrIdle when g has been dropped.
func (s *Stream) enterArchive(g *generation) error {
	a := g.arch
	if now := s.now(); now.Before(a.until) {
		return ErrWait
	}
	if !g.file.open() {
		if err := s.openArchive(g); err != nil {
			return err
		}
	}
	if !a.chosen {
		if err := s.identify(g); err != nil {
			return err
		}
	}
	start, err := a.p.Forward(int64(g.pos))
	if err != nil {
		return s.archiveTrouble(g, err)
	}
	if a.settled {
		return nil
	}
	a.settled = true
	g.state = s.cut.resume(int64(g.pos) - start)
	return nil
}

// openArchive opens the archive of g, under the name that it has by now.
func (s *Stream) openArchive(g *generation) error {
	f, err := openFile(g.name, s.cfg.Allow)
	if err == nil && f.info.key != g.key || missing(err) {
		f.close()
		all, _ := candidates(wideBases(s.realPath()), s.cfg.Allow, func(string, error) {})
		i := slices.IndexFunc(all, func(c candidate) bool { return c.info.key == g.key })
		if i < 0 {
			s.cfg.Logger.Warn("an archive is gone before it was read", "path", g.path, "archive", g.name)
			s.dismiss(g)
			return ErrIdle
		}
		g.name = all[i].name
		f, err = openFile(g.name, s.cfg.Allow)
	}
	if err != nil {
		return err
	}
	p, err := unpack(f, s.cfg.Unpacking)
	if p == nil {
		f.close()
		if err == nil {
			err = fmt.Errorf("%s is no archive any more", g.name)
		}
		return err
	}
	g.arch.p, g.file = p, stored(p)
	return nil
}

// identify finds out which generation the archive of g holds: it goes through the
// positions of those that begin as it does and compares the bytes before them.
func (s *Stream) identify(g *generation) error {
	a := g.arch
	if a.fresh && a.compared == 0 {
		if err := s.suspectRead(g); err != nil {
			return s.archiveTrouble(g, err)
		}
	}
	for ; a.compared < len(a.suspects); a.compared++ {
		cp := &a.suspects[a.compared]
		if _, err := a.p.Forward(int64(cp.Position)); err != nil {
			return s.archiveTrouble(g, err)
		}
		if cp.Position == 0 {
			if a.best == nil || s.soughtFor(cp.ID) { // of those that begin alike each takes an archive
				a.best = cp
			}
			continue
		}
		n := max(cp.TailLength, 1)
		b := make([]byte, n)
		n, err := a.p.ReadAt(b, int64(cp.Position)-int64(n))
		if err != nil {
			return s.archiveTrouble(g, err)
		}
		if n == len(b) && (cp.TailLength == 0 || xxhash.Sum64(b) == cp.Tail) {
			a.best = cp
		}
	}
	switch {
	case a.best == nil && (!a.fresh || a.bad != nil && len(a.suspects) > 0), a.best == nil && s.outrun(a):
		s.dismiss(g)
		return ErrIdle
	case a.best == nil:
		return s.takeUp(g, Checkpoint{ID: g.id, Path: s.cfg.Path, Began: InArchive})
	case s.soughtFor(a.best.ID), a.own && !s.cfg.Owners.home(a.best.Path):
		return s.takeUp(g, *a.best)
	}
	s.dismiss(g) // it is read already, or read by its own Stream
	return ErrIdle
}

// takeUp makes g the generation of cp.
func (s *Stream) takeUp(g *generation, cp Checkpoint) error {
	if _, ok := s.cfg.Owners.claim(g.key, s); !ok {
		s.leaveArchive(g)
		return ErrIdle
	}
	if cp.ID != g.id {
		s.denied(g)
	}
	g.arch.chosen = true
	g.id, g.gen, g.path, g.born = cp.ID, cp.ID.Generation(), cp.Path, max(cp.ID.Birth, cp.Began)
	if cp.Began == InArchive {
		g.born = InArchive
	}
	g.pos, g.tail, g.tailLen = cp.Position, cp.Tail, cp.TailLength
	if g.headDone = cp.Position > 0; g.headDone {
		g.head, g.headLen = cp.Head, cp.HeadLength
	}
	s.sought = slices.DeleteFunc(s.sought, func(c sought) bool { return c.cp.ID == cp.ID })
	s.cfg.Logger.Info("going on in an archive", "path", g.path, "archive", g.name, "generation", g.gen.String(), "position", int64(g.pos))
	s.giveUpSeeking()
	return nil
}

// resumeArchive queues the archive whose own generation cp is.
func (s *Stream) resumeArchive(cp Checkpoint) {
	all := s.relatedArchives()
	i := slices.IndexFunc(all, func(c candidate) bool { return sameNode(cp, c.info.key) })
	if i >= 0 && cp.unopened() { // what it holds was not known yet
		s.suspect(all[i], slices.DeleteFunc(s.known(), func(cp Checkpoint) bool { return !all[i].heads(cp) }), true)
		s.note()
		return
	}
	if i >= 0 {
		g := newGeneration(all[i].id, s.cfg.Path, file{name: all[i].name, info: all[i].info}, s.now())
		g.intoArchive(&inArchive{})
		g.away = true
		if s.takeUp(g, cp) == nil {
			s.insert(g)
			return
		}
	}
	s.toldGone(goneNotice(cp))
}

func (s *Stream) soughtFor(id ID) bool {
	return slices.ContainsFunc(s.sought, func(c sought) bool { return c.cp.ID == id })
}

// leaveArchive drops g, whose archive holds nothing that is to be read.
func (s *Stream) leaveArchive(g *generation) {
	s.passOver(g.key)
	g.arch.chosen = true
	s.cfg.Owners.abandon(g.key, s)
	s.forget(g)
	g.file.close()
	s.giveUpSeeking()
}

// forget takes g out of all lists.
func (s *Stream) forget(g *generation) {
	s.queue, s.late = without(s.queue, g), without(s.late, g)
	if s.at == g {
		s.at, s.sealed = nil, g.key
	}
}

// giveUpSeeking tells the end of the generations that no archive holds, once each
// archive that might was looked through.
func (s *Stream) giveUpSeeking() {
	for _, g := range s.held() {
		if g.arch != nil && !g.arch.chosen {
			return
		}
	}
	missed := s.sought
	s.sought = nil
	for _, c := range missed {
		if !s.ontoSpool(c.cp) {
			s.toldGone(c.end)
		}
	}
}

// toldGone tells the end of a generation whose bytes are nowhere.
func (s *Stream) toldGone(c Chunk) {
	if s.lost += c.Lost; c.Lost > 0 {
		s.cfg.Logger.Warn("bytes of a file are lost: it is gone, and no archive holds them", "path", c.Path,
			"generation", c.Generation.String(), "position", int64(c.Start), "bytes_at_least", c.Lost)
	}
	s.notices = append(s.notices, c)
}

// archiveTrouble says what becomes of g, whose archive cannot be read on. A damage is
// answered once; what can be read before it comes then, and its end.
func (s *Stream) archiveTrouble(g *generation, err error) error {
	a := g.arch
	var bad *archive.Damage
	switch {
	case errors.Is(err, archive.ErrFar):
		return ErrFar
	case errors.Is(err, archive.ErrBusy):
		return ErrWait
	case !errors.As(err, &bad):
		g.file.close()
		return fmt.Errorf("reading %s at %d: %w", g.name, g.pos, err)
	}
	if info, err := a.p.f.stat(); bad.Cut && err == nil {
		if age := s.now().Sub(time.Unix(0, info.mtime)); age >= 0 && age < writing {
			g.file.close() // it is read from its start again, so the longer it is the later
			a.until = s.now().Add(min(max(time.Duration(bad.At)*20, time.Second), writing))
			return ErrWait
		}
	}
	a.p.GiveUp()
	if a.bad != nil {
		return ErrFar
	}
	a.bad = bad
	g.missing, g.missingLeast = max(g.peak-bad.At, 1), true
	return bad
}

// seekArchive looks for the generation of cp, which is gone, in the archives beside it;
// end is what to tell if none of them holds it. It is false when none begins as it does.
func (s *Stream) seekArchive(cp Checkpoint, end Chunk) bool { return s.seekArchiveOf("", cp, end) }

// seekArchiveOf is seekArchive for a file that was last found under name: of one of which
// nothing was read an archive of that very name is taken.
func (s *Stream) seekArchiveOf(name string, cp Checkpoint, end Chunk) bool {
	if cp.Ended || cp.Began == InArchive {
		return false
	}
	found := false
	for _, c := range s.relatedArchives() {
		from, _ := archive.Trim(c.name)
		if c.cut && len(c.head) < cp.HeadLength || c.heads(cp) || cp.Position == 0 && name == from {
			if older := c.info.key.birth > 0 && c.info.key.birth < cp.ID.Birth; !older && !s.opened(c.info.key) && s.suspect(c, []Checkpoint{cp}, false) {
				found = true
			}
		}
	}
	if found {
		s.sought = append(s.sought, sought{cp, end})
	}
	return found
}

// passOver remembers that nothing more is to be read of an archive.
func (s *Stream) passOver(key fileKey) {
	if len(s.passed) == passedMost {
		s.passed = s.passed[1:]
	}
	s.passed = append(s.passed, key)
}

// suspect queues the archive as one that may hold generations of cps. It is false when
// the archive is read already.
func (s *Stream) suspect(c candidate, cps []Checkpoint, fresh bool) bool {
	for _, g := range s.held() {
		if g.key != c.info.key {
			continue
		}
		if g.arch == nil || g.arch.chosen || g.arch.own {
			return false
		}
		g.arch.suspects, g.arch.compared, g.arch.fresh = byPosition(append(g.arch.suspects, cps...)), 0, g.arch.fresh || fresh
		return true
	}
	g := newGeneration(c.id, s.cfg.Path, file{name: c.name, info: c.info}, s.now())
	g.intoArchive(&inArchive{suspects: byPosition(cps), fresh: fresh})
	g.away = true
	s.insert(g)
	return true
}

func byPosition(cps []Checkpoint) []Checkpoint {
	slices.SortStableFunc(cps, func(a, b Checkpoint) int { return int(max(-1, min(1, a.Position-b.Position))) })
	return cps
}

// isArchive says whether f, which the path leads to under name, is an archive.
func (s *Stream) isArchive(name string, f file) (bool, error) {
	if _, ok := archive.Trim(name); !ok || name != s.cfg.Path {
		return false, nil
	}
	p, err := unpack(f, nil)
	return p != nil, err
}

// recent says that somebody may still be writing what was written at mtime. A clock that
// was put back makes nothing recent for long.
func recent(mtime int64, now time.Time) bool {
	return now.Sub(time.Unix(0, mtime)).Abs() < writing
}

// unborn says whether f, which bears an archive's name, is so short that nobody can tell yet
// what it is: who makes an archive writes its first bytes late.
func (s *Stream) unborn(name string, f file) bool {
	now := s.now()
	if _, ok := archive.Trim(name); !ok || name != s.cfg.Path || s.finish || f.info.size >= 4 || !recent(f.info.mtime, now) {
		return false
	}
	s.wake(now.Add(time.Second))
	return true
}

// intoArchive makes g one that lies in an archive.
func (g *generation) intoArchive(a *inArchive) {
	g.arch, g.born, g.size, g.peak = a, InArchive, 0, 0
	g.copied, g.ending, g.stirred = true, true, true
}

// insert puts g, an archive, where it belongs by its age.
func (s *Stream) insert(g *generation) {
	base := filepath.Base(s.realPath())
	i := slices.IndexFunc(s.queue, func(q *generation) bool {
		if q == s.at {
			return true
		}
		return older(base, sibling{name: g.name, info: fileInfo{mtime: g.mtime}}, sibling{name: q.name, info: fileInfo{mtime: q.mtime}})
	})
	if i < 0 {
		i = len(s.queue)
	}
	s.queue = slices.Insert(slices.Clone(s.queue), i, g)
}
