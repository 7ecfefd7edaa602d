package follow

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A file that is truncated again and again leaves a copy of each of its lives, and some of
// them come and go while nobody looks. The copies tell what was missed: one that was made
// after all that is known, and holds neither what was read nor what the file holds now, is a
// life that nobody has seen. It is read like a file that was rotated away unseen, under its
// own identity, and before what the file holds now.

// before is the last life of a file of which something was seen.
type before struct {
	cp      Checkpoint
	waiting []byte // the bytes after its position that were seen
}

// lives are the copies that were made of a file since its last life that was seen began.
type lives struct {
	own    sibling   // the copy of that life, if there is one that reaches to what was read
	found  bool      // there is
	unseen []sibling // copies of later ones, oldest first
	floor  int64     // all that were made before are known now
}

// livesSince sorts out the copies that were made of f, the file at the path, since the life
// last of it began, nil if nothing was seen of it.
func (s *Stream) livesSince(last *before, f file) (l lives, err error) {
	sibs, err := siblings(s.realPath())
	if err != nil {
		return l, fmt.Errorf("looking for copies of %s: %w", s.cfg.Path, err)
	}
	l.floor = s.newest
	if at, err := statPath(s.cfg.Path); err != nil || at.key != f.info.key {
		return l, nil // it was renamed meanwhile: what lies beside may have been written after it
	}
	first := true
	for _, sib := range sibs {
		if made(sib) < s.newest || sib.info.size == 0 || sib.info.key == f.info.key {
			continue
		}
		if s.holds(sib.info.key) || s.knows(sib.info.key) || s.cfg.Owners.held(sib.info.key, s) || s.cfg.Owners.homeOf(sib.name, s) {
			l.floor = max(l.floor, copied(sib)+1)
			continue
		}
		c, err := s.openSibling(sib)
		if missing(err) {
			continue
		}
		if err == nil {
			if present, err := s.present(c, f); present || err != nil {
				c.close()
				if err != nil {
					return l, fmt.Errorf("comparing %s with its copy %s: %w", s.cfg.Path, sib.name, err)
				}
				break // and what is younger is not complete either
			}
			sib.info = c.info
		}
		switch {
		case err != nil:
			l.unseen = append(l.unseen, sib) // who takes it in says what is wrong
		case last != nil && !l.found && last.holds(c, first):
			l.own, l.found = sib, true
		case last != nil && !l.found && last.exceeds(c, first), s.copies(c):
		default:
			l.unseen = append(l.unseen, sib)
		}
		c.close()
		l.floor, first = max(l.floor, copied(sib)+1), false
	}
	return l, nil
}

// made is when a copy was begun, copied when it was at its end.
func made(sib sibling) int64   { return cmp.Or(sib.info.key.birth, sib.info.mtime) }
func copied(sib sibling) int64 { return max(sib.info.key.birth, sib.info.mtime) }

// holds says whether c is the copy of the life and reaches as far as was read of it. Of a life too short to
// be known by its head it is the first one that was made since it began.
func (b *before) holds(c file, first bool) bool {
	if b.cp.HeadLength < copyLeast && !first {
		return false
	}
	if same, err := verify(c, b.cp); err != nil || !same {
		return false
	}
	rest := make([]byte, len(b.waiting))
	n, err := c.pread(rest, int64(b.cp.Position))
	return err == nil && bytes.Equal(rest[:n], b.waiting)
}

// exceeds says whether more was read of the life than its copy c holds. The copy then begins
// as the life did; one that is too short to say so is the first that was made since it began.
func (b *before) exceeds(c file, first bool) bool {
	if c.info.size >= int64(b.cp.Position)+int64(len(b.waiting)) {
		return false
	}
	if b.cp.HeadLength < copyLeast || c.info.size < int64(b.cp.HeadLength) {
		return first
	}
	var head [headMost]byte
	n, err := c.pread(head[:b.cp.HeadLength], 0)
	return err == nil && n == b.cp.HeadLength && xxhash.Sum64(head[:n]) == b.cp.Head
}

// copies says whether c is a copy of something that is known.
func (s *Stream) copies(c file) bool {
	return slices.ContainsFunc(s.known(), func(cp Checkpoint) bool { return copyOf(c, cp) })
}

// present says whether c holds what f holds now, as far as it goes: somebody is just
// copying the file, and has not truncated it yet.
func (s *Stream) present(c, f file) (bool, error) {
	now, err := f.stat()
	if err != nil || c.info.size > now.size {
		return false, err
	}
	return alike(c, f, c.info.size), nil
}

// settle queues copies of lives that nobody has seen, archives too, before g, which the path
// leads to; nil: at the end. From then on all that lies beside the path is known.
func (s *Stream) settle(l lives, g *generation) {
	for _, sib := range l.unseen {
		n := len(s.queue)
		if !s.holds(sib.info.key) {
			s.enqueue(sib)
		}
		if len(s.queue) == n {
			continue
		}
		s.gathered = true
		s.cfg.Logger.Info("a life of the file came and went unseen: reading its copy", "path", s.cfg.Path, "copy", sib.name)
		if at := slices.Index(s.queue, g); at >= 0 {
			c := s.queue[n]
			s.queue = slices.Insert(slices.Clone(s.queue[:n]), at, c)
		}
	}
	packed := s.candidates() // what is made while they are gathered is not known yet
	s.gatherArchives()
	s.newest = max(s.newest, l.floor)
	for _, c := range packed {
		s.newest = max(s.newest, c.info.mtime+1)
	}
	if g != nil {
		g.born, g.unsure = max(g.born, s.newest), true
	}
}

// mixed says whether other lives of the file have come and gone since the one that l begins with.
func (s *Stream) mixed(l lives) bool {
	n := len(l.unseen)
	if !l.found {
		n-- // its copy may be an archive
	}
	for _, c := range s.candidates() {
		if c.info.mtime >= s.newest {
			n++
		}
	}
	return n > 0 || len(l.unseen) > 0
}

// missed says whether g, of which nothing was read yet, may not be the life that it was taken
// for: lives of its file have come and gone since. Their copies are read before it then.
func (s *Stream) missed(g *generation) (bool, error) {
	if g != s.at || g.pos > 0 || g.asked == g.mtime {
		return false, nil
	}
	if !g.unsure { // it was just taken in; if nothing can be read of it yet, the next time is later
		g.unsure, g.asked = true, g.mtime
		return false, nil
	}
	info, err := g.file.stat()
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", g.name, err)
	}
	l, err := s.livesSince(nil, file{handle: g.file, name: g.name, info: info})
	if err != nil {
		return false, err
	}
	g.asked, g.peak, g.frag, g.waiting = g.mtime, info.size, 0, g.waiting[:0]
	g.see(info)
	s.settle(l, g)
	if err := s.tellFound(); err != nil {
		return false, err
	}
	return s.queue[0] != g, nil
}

// overtaken goes on in the copy of the life of cp, whose file f was truncated while nobody looked, and
// queues what else of its lives nobody has seen if the path leads to it. It answers when the present one began.
func (s *Stream) overtaken(cp Checkpoint, f file, here bool) (born int64, err error) {
	var l lives
	if here {
		if l, err = s.livesSince(&before{cp: cp}, f); err != nil {
			return 0, err
		}
	}
	if !cp.Ended && !s.resumeKept(cp) && !(l.found && s.resumeIn(cp, l.own)) && !s.resumeCopy(cp) && !s.seekArchive(cp, goneNotice(cp)) {
		s.notices = append(s.notices, goneNotice(cp))
		s.cfg.Logger.Info("truncated or replaced while not followed: starting over at its first byte", "path", cp.Path,
			"generation", cp.ID.Generation().String(), "position", int64(cp.Position))
	}
	if !here {
		return f.info.mtime + 1, nil
	}
	s.settle(l, nil)
	return s.newest, nil
}

// begun is when the present life of f began at the latest: a rotator that copies truncates it afterwards.
func (f file) begun() int64 {
	return max(f.info.key.birth, min(f.info.mtime, time.Now().UnixNano()))
}

// outrun says whether the archive a holds a copy of a past life of the file at the path of which more
// was read than was copied.
func (s *Stream) outrun(a *inArchive) bool {
	return s.at != nil && slices.ContainsFunc(a.suspects, func(cp Checkpoint) bool {
		if cp.ID.node() != s.at.id.node() || cp.ID.Cut >= s.at.id.Cut || cp.HeadLength < copyLeast || cp.Position == 0 {
			return false
		}
		n, err := a.p.ReadAt(make([]byte, 1), int64(cp.Position)-1)
		return err == nil && n == 0
	})
}
