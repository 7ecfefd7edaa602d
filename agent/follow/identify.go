package follow

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/line"
)

// Place tells a folder from a copy of it elsewhere, "" where the file system does not
// say. It stays the same over reboots and for as long as the folder is not made anew.
func Place(dir string) string {
	info, err := statPath(dir)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x.%x", info.key.ino, info.key.birth)
}

// Identify lists the file that path leads to and, with beside, those that were rotated
// away from it, oldest first, as generations of which nothing is known: their first
// lives, at 0. allow is asked about each; what may not be read is left out.
func Identify(path string, beside bool, allow func(real string) error) ([]Checkpoint, error) {
	var sibs []sibling
	if beside {
		var err error
		s := &Stream{cfg: Config{Path: path}}
		if sibs, err = siblings(s.realPath()); err != nil && !missing(err) {
			return nil, fmt.Errorf("looking beside %s for rotated files: %w", path, err)
		}
	}
	var found []Checkpoint
	for _, sib := range append(sibs, sibling{name: path}) {
		f, err := openFile(sib.name, allow)
		if err != nil {
			continue // it is not to be read, so it is not to be recognised either
		}
		cp := Checkpoint{ID: f.id(), Path: path, Began: f.info.key.birth}
		if sib.name == path {
			cp.Began = f.begun() // copies of lives before are not news: nobody knows which were sent
		}
		found = append(found, cp)
		f.close()
	}
	return found, nil
}

// Lives is cp as the life of its file that carries the name gen in header pos, if one
// of the first few is.
func (cp Checkpoint) Lives(gen line.Generation) (Checkpoint, bool) {
	for cp.ID.Cut = 0; cp.ID.Cut < livesMost; cp.ID.Cut++ {
		if cp.ID.Generation() == gen {
			return cp, true
		}
	}
	return cp, false
}

// livesMost bounds how many truncations of one file are thought of.
const livesMost = 4096

// ErrShorter says that a file does not reach as far as was read of it once.
var ErrShorter = errors.New("the file is shorter than what was read of it")

// At is cp at the position pos, with the hashes of what its file holds there now. It
// looks for the file at the path of cp and beside it.
func (cp Checkpoint) At(pos line.Position) (Checkpoint, error) {
	f, err := findRange(cp.Path, cp)
	if err != nil {
		return cp, fmt.Errorf("looking for generation %s of %s: %w", cp.ID.Generation(), filepath.Base(cp.Path), err)
	}
	defer f.close()
	if f.info.size < int64(pos) {
		return cp, ErrShorter
	}
	g := &generation{name: f.name, file: f.handle}
	if err := g.seek(pos, cutter{}); err != nil {
		return cp, err
	}
	cp.Position, cp.Head, cp.HeadLength, cp.Tail, cp.TailLength = pos, g.head, g.headLen, g.tail, g.tailLen
	return cp, nil
}
