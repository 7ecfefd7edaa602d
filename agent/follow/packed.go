package follow

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/loghaul/loghaul/agent/archive"
	"github.com/loghaul/loghaul/internal/line"
)

// packed is an open archive as the bytes it was made from.
type packed struct {
	*archive.Reader
	f file
}

// Close lets go of the memory and of the descriptor.
func (p *packed) Close() error {
	p.Reader.Close()
	p.f.close()
	return nil
}

// preads reads a file for an archive.Reader, which wants to know its end.
type preads struct{ *file }

func (p preads) ReadAt(b []byte, at int64) (int, error) {
	n, err := p.pread(b, at)
	switch {
	case err != nil:
		return n, &fs.PathError{Op: "read", Path: p.name, Err: err}
	case n < len(b):
		return n, io.EOF
	}
	return n, nil
}

// unpack opens the archive that f is; nil without an error: it is none. f is closed
// with what it answers, and otherwise the caller's.
func unpack(f file, slots *archive.Slots) (*packed, error) {
	p := &packed{f: f}
	var err error
	if p.Reader, err = archive.Open(f.name, preads{&p.f}, slots); err != nil || p.Reader == nil {
		return nil, err
	}
	return p, nil
}

// candidate is an archive beside a followed file.
type candidate struct {
	sibling
	id   ID
	head []byte // the first bytes of what it holds
	cut  bool   // it ends before them: it may be being written
}

// heads says whether the archive begins with what cp has seen first.
func (c candidate) heads(cp Checkpoint) bool {
	if cp.HeadLength == 0 || cp.HeadLength > headMost {
		return false
	}
	return len(c.head) >= cp.HeadLength && xxhash.Sum64(c.head[:cp.HeadLength]) == cp.Head
}

// candidates lists the archives whose names say that they hold a file rotated away from
// one of bases, oldest first. One whose file is still there is just being made, and left out.
func candidates(bases []string, allow func(real string) error, told func(name string, err error)) (found []candidate, err error) {
	for range renamesMost { // a rotator at work moves one to another's name
		moved := false
		if found, moved, err = candidatesNow(bases, allow, told); err != nil || !moved {
			break
		}
	}
	return found, err
}

// candidatesNow is candidates; moved says that some were renamed before they could be opened.
func candidatesNow(bases []string, allow func(real string) error, told func(name string, err error)) (found []candidate, moved bool, err error) {
	name := filepath.Base(bases[0])
	sibs, err := beside(bases[0], bases, func(n string, all []string) bool {
		from, ok := archive.Trim(n)
		return ok && slices.ContainsFunc(bases, func(base string) bool {
			base = filepath.Base(base)
			return from == name || (from == base || rotated(base, from)) && !slices.Contains(all, from)
		})
	})
	if err != nil {
		return nil, false, err
	}
	sortByAge(name, sibs)
	for _, sib := range sibs {
		c, ok, err := openCandidate(sib, allow)
		if err != nil && !missing(err) {
			told(sib.name, err)
		}
		if missing(err) || ok && c.info.key != sib.info.key {
			moved = true
		} else if ok {
			found = append(found, c)
		}
	}
	return found, moved, nil
}

// candidates are the archives beside the path that have not been passed over yet, of files
// rotated away from it.
func (s *Stream) candidates() []candidate { return s.archives([]string{s.realPath()}) }

// relatedArchives are those, and where the path is a rotated name itself, as under a wide
// pattern, those of the other names that its file may have had since.
func (s *Stream) relatedArchives() []candidate { return s.archives(wideBases(s.realPath())) }

// wideBases is a path before the names that its file may have been rotated away from.
func wideBases(path string) []string { return append([]string{path}, bases(path)...) }

func (s *Stream) archives(bases []string) []candidate {
	all, err := candidates(bases, s.cfg.Allow, func(name string, err error) {
		if info, statErr := statName(name); statErr == nil && !slices.Contains(s.passed, info.key) {
			s.passOver(info.key)
			s.cfg.Logger.Error("an archive beside a followed file cannot be read", "path", s.cfg.Path, "archive", name, "err", err)
		}
	})
	if err != nil && !missing(err) {
		s.cfg.Logger.Warn("archives are not looked for", "path", s.cfg.Path, "err", err)
	}
	return slices.DeleteFunc(all, func(c candidate) bool { return slices.Contains(s.passed, c.info.key) })
}

// openCandidate looks at the first bytes of an archive.
func openCandidate(sib sibling, allow func(real string) error) (c candidate, ok bool, err error) {
	f, err := openFile(sib.name, allow)
	if err != nil {
		return c, false, err
	}
	c = candidate{sibling: sibling{name: sib.name, info: f.info}, id: f.id()}
	p, err := unpack(f, nil)
	if p == nil {
		f.close()
		return c, false, err
	}
	defer p.Close()
	b := make([]byte, headMost)
	n, err := p.ReadAt(b, 0)
	var bad *archive.Damage
	if errors.As(err, &bad) {
		if c.cut = bad.Cut; !c.cut {
			return c, false, err
		}
		p.GiveUp()
		n, err = p.ReadAt(b, 0)
	}
	c.head = b[:n]
	return c, err == nil, err
}

// unpacking is held by who reads a range out of an archive: each takes megabytes.
var unpacking sync.Mutex

// readPacked appends to dst the bytes [start, end) of the generation of cp from an
// archive beside path; false: there is none.
func readPacked(path string, cp Checkpoint, start, end line.Position, dst []byte) ([]byte, bool, error) {
	unpacking.Lock()
	defer unpacking.Unlock()
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	all, err := candidates(basesOf(path, cp), nil, func(string, error) {})
	if err != nil {
		return dst, false, err
	}
	for _, c := range all {
		own := sameNode(cp, c.info.key)
		if !own && (cp.Began == InArchive || !c.heads(cp)) {
			continue
		}
		if data, ok, err := readFrom(c, cp, start, end); err != nil {
			return dst, false, err
		} else if ok {
			return append(dst, data...), true, nil
		}
	}
	return dst, false, nil
}

// basesOf are the names beside which an archive of the generation of cp may lie, path or
// what it was made from first. A file that was first found under a rotated name, or in an
// archive, may have been renamed as rotated files are.
func basesOf(path string, cp Checkpoint) []string {
	if from, ok := archive.Trim(path); ok && cp.Began == InArchive {
		return append([]string{path}, bases(from)...)
	}
	return wideBases(path)
}

// readFrom reads a range of the generation of cp out of the archive, unless the bytes
// before its position say that it is another one.
func readFrom(c candidate, cp Checkpoint, start, end line.Position) ([]byte, bool, error) {
	f, err := openFile(c.name, nil)
	if err != nil {
		return nil, false, err
	}
	p, err := unpack(f, nil)
	if p == nil {
		f.close()
		return nil, false, err
	}
	defer p.Close()
	p.GiveUp()
	at, to := start, end
	if tail := cp.Position - line.Position(cp.TailLength); cp.TailLength > 0 {
		at, to = min(at, tail), max(to, cp.Position)
	}
	b := make([]byte, to-at)
	n, err := p.ReadAt(b, int64(at))
	if err != nil || n < len(b) {
		return nil, false, err
	}
	if tail := b[cp.Position-line.Position(cp.TailLength)-at:]; cp.TailLength > 0 && xxhash.Sum64(tail[:cp.TailLength]) != cp.Tail {
		return nil, false, nil
	}
	return bytes.Clone(b[start-at : end-at]), true, nil
}
