package follow

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/line"
)

// begin looks for the generations that are known from before: they may have
// been renamed while nobody looked. What is found elsewhere than at the path waits
// in the queue, oldest first, then what was born since and rotated away as well.
func (s *Stream) begin() error {
	lives, past := s.lives()
	for _, cp := range past {
		if !s.resumeKept(cp) && (cp.Ended || !s.resumeCopy(cp) && !s.seekArchive(cp, goneNotice(cp))) {
			s.notices = append(s.notices, goneNotice(cp))
		}
	}
	for _, cp := range s.cfg.Resume { // those that are over too: what lay beside them is known, or a copy
		if cp.Began != InArchive { // whose file is younger than what it holds
			s.newest = max(s.newest, cp.ID.Birth, cp.Began)
		}
	}
	here, err := statPath(s.cfg.Path)
	if err != nil && !missing(err) {
		return fmt.Errorf("looking at %s: %w", s.cfg.Path, err)
	}
	moved := slices.DeleteFunc(slices.Clone(lives), func(cp Checkpoint) bool { return err == nil && sameNode(cp, here.key) })
	if len(moved) > 0 {
		if err := s.resume(moved); err != nil {
			return err
		}
	}
	if err != nil && len(lives) > 0 { // else arrive does so
		s.gather(fileKey{})
	}
	s.begun = true
	s.cfg.Owners.begun(s.cfg.Path, s)
	return nil
}

// lives are the checkpoints of Resume that can still be read, oldest first: of
// each file the latest life. past are the others, of which no more than a copy is left,
// or what the spool has.
func (s *Stream) lives() (lives, past []Checkpoint) {
	cps := slices.Clone(s.cfg.Resume)
	slices.SortStableFunc(cps, func(a, b Checkpoint) int {
		if a.ID.Birth != b.ID.Birth && a.ID.Birth != 0 && b.ID.Birth != 0 {
			return int(max(-1, min(1, a.ID.Birth-b.ID.Birth)))
		}
		return int(a.ID.Cut) - int(b.ID.Cut)
	})
	last := make(map[ID]uint32)
	for _, cp := range cps {
		last[cp.ID.node()] = max(last[cp.ID.node()], cp.ID.Cut)
	}
	for _, cp := range cps {
		if cp.Ended || cp.ID.Cut < last[cp.ID.node()] {
			past = append(past, cp)
		} else {
			lives = append(lives, cp)
		}
	}
	return lives, past
}

func goneNotice(cp Checkpoint) Chunk {
	return Chunk{ID: cp.ID, Generation: cp.ID.Generation(), Path: cp.Path, Began: cp.Began, Start: cp.Position,
		Final: true, Gone: true, Head: cp.Head, HeadLength: cp.HeadLength}
}

func sameNode(cp Checkpoint, key fileKey) bool {
	return cp.ID.Inode == key.ino && cp.ID.Birth == key.birth
}

// knows says whether Resume holds a life of the file.
func (s *Stream) knows(key fileKey) bool {
	return slices.ContainsFunc(s.cfg.Resume, func(cp Checkpoint) bool { return sameNode(cp, key) })
}

// resume queues the files of cps, which the path has left, where they were last
// found or under a rotated name beside it.
func (s *Stream) resume(cps []Checkpoint) error {
	sibs, err := relatives(s.realPath())
	if err != nil && !missing(err) {
		return fmt.Errorf("looking beside %s for rotated files: %w", s.cfg.Path, err)
	}
	for n, cp := range cps {
		if cp.Began == InArchive {
			s.resumeArchive(cp)
			continue
		}
		i := slices.IndexFunc(sibs, func(sib sibling) bool { return sameNode(cp, sib.info.key) })
		if i >= 0 {
			s.enqueue(sibs[i])
			continue
		}
		if n == len(cps)-1 && cp.ID.Cut > 0 && cp.Began == 0 {
			s.newest = max(s.newest, time.Now().UnixNano()) // what lies there may be copies of it
		}
		if s.resumeKept(cp) || s.resumeCopy(cp) || s.seekArchive(cp, goneNotice(cp)) {
			continue
		}
		s.notices = append(s.notices, goneNotice(cp))
		s.cfg.Logger.Info("a file followed before is gone", "path", cp.Path,
			"generation", cp.ID.Generation().String(), "position", int64(cp.Position))
	}
	return nil
}

// realPath is where the path's files lie: rotated ones are beside the file that a
// link leads to, not beside the link.
func (s *Stream) realPath() string {
	if real, err := filepath.EvalSymlinks(s.cfg.Path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(s.cfg.Path)); err == nil {
		return filepath.Join(dir, filepath.Base(s.cfg.Path))
	}
	return s.cfg.Path
}

// lateWrites is for how long after a rotation the old file may be written to
// before the rotated file born meanwhile is taken for a copy of it.
const lateWrites = time.Minute

// gather queues the rotated files that were born after all that is known and
// came and went at the path unseen. The file at the path now is not one of them.
// A file that was born while the one before it was still written to is not either:
// it is a copy.
func (s *Stream) gather(at fileKey) {
	sibs, err := siblings(s.realPath())
	if err != nil {
		if !missing(err) {
			s.cfg.Logger.Warn("rotated files are not looked for", "path", s.cfg.Path, "error", err)
		}
		return
	}
	floor := s.newest
	if n := len(s.queue); n > 0 {
		floor = max(floor, s.queue[n-1].mtime-int64(lateWrites))
	}
	for _, sib := range sibs {
		birth := sib.info.key.birth
		if birth < floor || sib.info.key == at || at.birth > 0 && birth > at.birth {
			continue
		}
		if s.holds(sib.info.key) {
			continue
		}
		if s.cfg.Owners.homeOf(sib.name, s) {
			s.gatherFor(sib)
			continue
		}
		if s.isCopy(sib) {
			continue
		}
		s.enqueue(sib)
		s.gathered = true
	}
	s.gatherArchives()
}

// holds says whether the Stream reads the file already.
func (s *Stream) holds(key fileKey) bool {
	for _, g := range s.held() {
		if g.key == key {
			return true
		}
	}
	return false
}

// enqueue opens a rotated file and puts it at the end of the queue. One that
// cannot be read is told and left: what comes after it goes on.
func (s *Stream) enqueue(sib sibling) {
	f, err := s.openSibling(sib)
	var g *generation
	if err == nil {
		g, err = s.takeFile(sib.name, f, 0)
	}
	if err != nil && !missing(err) {
		s.cfg.Logger.Warn("a rotated file is left unread", "path", s.cfg.Path, "rotated", sib.name, "error", err)
	}
	if g != nil {
		g.away = true
		if written := time.Unix(0, g.mtime); written.Before(g.grown) {
			g.grown = written
		}
		s.queue = append(s.queue, g)
	}
}

// arrive takes in the file that the path leads to now.
func (s *Stream) arrive(info fileInfo, now time.Time) error {
	for _, g := range s.held() {
		if g.key == info.key { // it has come back
			s.displace(now)
			s.queue, s.late = append(without(s.queue, g), g), without(s.late, g)
			g.away, s.at = false, g
			g.see(info)
			return nil
		}
	}
	if s.foreign == info.key && s.cfg.Owners.held(info.key, s) {
		s.awaiting = time.Time{}
		return nil
	}
	leave, start := s.leaveToKin(info, now)
	if leave {
		return nil
	}
	known := s.knows(info.key)
	if s.first && s.cfg.FromEnd {
		start = -1
	}
	g, err := s.take(s.cfg.Path, start)
	s.displace(now)
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	if g == nil {
		if s.sealed != info.key {
			s.foreign = info.key
			s.await(now)
		}
		return nil
	}
	s.awaiting = time.Time{}
	if !known && (!s.first || len(s.cfg.Resume) > 0) {
		s.gather(g.key)
	}
	s.foreign, s.first = fileKey{}, false
	s.newest = max(s.newest, g.born)
	s.queue = append(s.queue, g)
	s.at = g
	return nil
}

// take opens the file that name leads to and goes to where reading it begins:
// where it was left if it is known and not refuted, else start (-1: its end). It is
// nil without an error when the file is another Stream's.
func (s *Stream) take(name string, start line.Position) (*generation, error) {
	f, err := openFile(name, s.cfg.Allow)
	if err != nil {
		return nil, err
	}
	return s.takeFile(name, f, start)
}

// takeFile is take for a file that was opened under name. It is closed unless it is taken.
func (s *Stream) takeFile(name string, f file, start line.Position) (*generation, error) {
	known, ok := s.cfg.Owners.claim(f.info.key, s)
	if !ok {
		f.close()
		return nil, nil
	}
	if len(known) == 0 {
		known = s.resumed(f.info.key)
	}
	if s.unborn(name, f) {
		f.close()
		s.cfg.Owners.abandon(f.info.key, s)
		return nil, nil
	}
	if packed, err := s.isArchive(name, f); packed || err != nil {
		if err != nil {
			f.close()
			s.cfg.Owners.abandon(f.info.key, s)
			return nil, err
		}
		s.cfg.Owners.abandon(f.info.key, s) // it is claimed once it is known whose it is
		return s.takeArchive(f, start), nil
	}
	g, err := s.recognize(f, known, start, name == s.cfg.Path)
	if err != nil {
		f.close()
		s.cfg.Owners.abandon(f.info.key, s)
		return nil, err
	}
	g.stirred = g.size != int64(g.pos)
	return g, nil
}

// resumed is what Resume knows of a file of which Owners, who remember so many at most, have
// forgotten it. Later what Resume says is out of date.
func (s *Stream) resumed(key fileKey) (known []Checkpoint) {
	if s.begun && !s.first {
		return nil
	}
	lives, _ := s.lives()
	return slices.DeleteFunc(lives, func(cp Checkpoint) bool { return !sameNode(cp, key) })
}

// recognize makes a generation of f: one of known if the hashes do not refute it. here: the
// path leads to it.
func (s *Stream) recognize(f file, known []Checkpoint, start line.Position, here bool) (*generation, error) {
	id, born := f.id(), f.info.key.birth
	if here && s.first && len(s.cfg.Resume) == 0 {
		born = f.begun()
	}
	for _, cp := range known {
		same, err := verify(f, cp)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.name, err)
		}
		if cp.ID.FS != id.FS && (!same || cp.HeadLength == 0) {
			continue // of another filesystem
		}
		if same {
			g := newGeneration(cp.ID, cp.Path, f, s.now())
			g.born, g.unsure = max(g.born, cp.Began), true
			return g, g.seek(cp.Position, s.cut)
		}
		if born, err = s.overtaken(cp, f, here); err != nil {
			return nil, err
		}
		id.Cut, start = cp.ID.Cut+1, 0
	}
	if cp, ok := s.cfg.Owners.overOf(f.info.key); ok && cp.ID.Cut >= id.Cut && cp.Began != InArchive {
		if same, err := verify(f, cp); err == nil && same && cp.HeadLength > 0 && cp.Position > 0 { // it was moved away, and is back
			g := newGeneration(cp.ID, cp.Path, f, s.now())
			g.born = max(g.born, cp.Began)
			return g, g.seek(cp.Position, s.cut)
		}
		var err error
		if born, err = s.overtaken(cp, f, here); err != nil {
			return nil, err
		}
		id.Cut, start = cp.ID.Cut+1, 0
	}
	g := newGeneration(id, s.cfg.Path, f, s.now())
	g.born, g.unsure = born, id.Cut > 0
	if start < 0 {
		end, err := lineStart(f.handle, f.info.size)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.name, err)
		}
		start = line.Position(end)
	}
	return g, g.seek(start, s.cut)
}
