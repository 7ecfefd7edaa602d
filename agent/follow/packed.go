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
	if cp.HeadLength == 0 || cp.HeadLength > headMost || cp.Position == 0 {
		return false
	}
	return len(c.head) >= cp.HeadLength && xxhash.Sum64(c.head[:cp.HeadLength]) == cp.Head
}

// candidates lists the archives whose names say that they hold a file rotated away from
// base, oldest first. One whose file is still there is just being made, and left out.
func candidates(base string, allow func(real string) error, told func(name string, err error)) ([]candidate, error) {
	name := filepath.Base(base)
	sibs, err := beside(base, func(n string, all []string) bool {
		from, ok := archive.Trim(n)
		return ok && (from == name || rotated(name, from) && !slices.Contains(all, from))
	})
	if err != nil {
		return nil, err
	}
	sortByAge(name, sibs)
	var found []candidate
	for _, sib := range sibs {
		c, ok, err := openCandidate(sib, allow)
		if err != nil && !missing(err) {
			told(sib.name, err)
		}
		if ok {
			found = append(found, c)
		}
	}
	return found, nil
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
	var all []candidate
	for _, base := range basesOf(path, cp) {
		found, err := candidates(base, nil, func(string, error) {})
		if err != nil {
			return dst, false, err
		}
		all = append(all, found...)
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

// basesOf are the names beside which an archive of the generation of cp may lie. One
// that was an archive from the first may have been renamed as rotated files are.
func basesOf(path string, cp Checkpoint) []string {
	if from, ok := archive.Trim(path); ok && cp.Began == InArchive {
		return append(bases(from), path)
	}
	return []string{path}
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
