package discover

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// entry is a name that matches.
type entry struct {
	File
	link    bool        // the name is a symlink
	listed  fs.FileMode // the type that the folder gave for it
	key     fileKey
	links   uint64 // hard links
	err     error  // why it is not followed
	gone    bool   // the link leads nowhere, or the file went meanwhile
	watched string // the real folder that is watched for it, if no listed folder is it
}

// refusedMost bounds the refusals that are told one by one.
const refusedMost = 1000

// match says which pattern the file called path matches.
func (t *tree) match(path string) (why string, ok bool) {
	for _, p := range t.f.include {
		if p.matches(path) {
			for _, x := range t.f.exclude {
				if x.matches(path) {
					return "", false
				}
			}
			return p.text, true
		}
	}
	return "", false
}

// examine finds out what e leads to and whether it may and can be read.
func (t *tree) examine(e *entry) {
	e.err, e.gone = nil, false
	if e.link {
		real, err := filepath.EvalSymlinks(e.Path)
		if err != nil {
			e.gone, e.err = os.IsNotExist(err), err
			return
		}
		e.Real = filepath.ToSlash(real)
	}
	st, err := os.Stat(e.Real)
	if err != nil {
		e.gone, e.err = os.IsNotExist(err), err
		return
	}
	if !st.Mode().IsRegular() {
		e.err = fmt.Errorf("%s is %s: only regular files are followed", e.Path, kindName(st.Mode()))
		return
	}
	e.key, e.links = keyOf(st)
	if err := t.f.cfg.Access.Check(e.Real); err != nil {
		e.err = err
		return
	}
	if err := readable(e.Real); err != nil {
		e.err = fmt.Errorf("%w: give the agent's user the right to read it", err)
	}
}

func kindName(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a file"
}

// static looks at the one file that p names.
func (t *tree) static(p pattern) {
	st, err := os.Lstat(p.text)
	for os.IsNotExist(err) && t.await(p.text) {
		st, err = os.Lstat(p.text)
	}
	e := t.statics[p.text]
	if err != nil {
		if e != nil {
			delete(t.statics, p.text)
			t.attend(e, false)
			t.changed = true
		}
		t.await(p.text)
		t.refuse(p.text, folderError(err))
		return
	}
	t.arrived(p.text)
	t.refuse(p.text, nil)
	if _, ok := t.match(p.text); !ok {
		return
	}
	if e == nil {
		e = &entry{File: File{Path: p.text, Why: p.text}}
		t.statics[p.text] = e
	}
	old := *e
	e.link = true // or a folder above it is one
	t.examine(e)
	e.link = st.Mode()&fs.ModeSymlink != 0
	t.attend(e, true)
	t.changed = t.changed || !sameEntry(old, *e)
}

// attend watches the folder where the file of e really is, if no listed folder
// stands for it.
func (t *tree) attend(e *entry, wanted bool) {
	dir := ""
	if wanted && e.err == nil {
		dir = path.Dir(e.Real)
	}
	if dir != e.watched {
		t.watch(dir)
		t.unwatch(e.watched)
		e.watched = dir
	}
}

func sameEntry(a, b entry) bool {
	return a.Real == b.Real && a.key == b.key && a.links == b.links && a.gone == b.gone && (a.err == nil) == (b.err == nil) &&
		(a.err == nil || a.err.Error() == b.err.Error())
}

// lookAgain examines what can change without its folder: links, refused files,
// and files with several names.
func (t *tree) lookAgain() {
	for _, d := range t.folders {
		for _, e := range d.files {
			if !e.link && e.err == nil && e.links <= 1 {
				continue
			}
			old := *e
			t.examine(e)
			t.attend(e, e.link)
			t.changed = t.changed || !sameEntry(old, *e)
		}
	}
}

// refuse takes note why path is not followed; nil takes it back.
func (t *tree) refuse(path string, err error) {
	old := t.refused[path]
	switch {
	case err == nil && old != nil:
		delete(t.refused, path)
	case err != nil && (old == nil || old.Error() != err.Error()):
		t.refused[path] = err
	default:
		return
	}
	t.changed = true
}

// overflow says that a pattern matches too much.
func (t *tree) overflow(why string) {
	if t.over == "" {
		t.over = why
		t.refuse(why, fmt.Errorf("pattern %q matches more than %d files or folders: make it narrower or exclude some; the rest is not followed", why, t.f.cfg.MaxFiles))
	}
}

// set is the Set as the tree knows it. Of several names of one file the one that
// leads over no symlink is followed, of several such the first in byte order.
func (t *tree) set() Set {
	n := t.files + len(t.statics)
	s := Set{Files: make(map[string]*File, n), Same: make(map[string]string), Refused: make(map[string]error)}
	var rest []*entry // those that may be second names
	add := func(e *entry) {
		switch {
		case e.gone:
		case e.err != nil:
			s.refuse(e.Path, e.err)
		case e.links <= 1 && e.Path == e.Real:
			s.Files[e.Path] = &e.File // which does not change while it is the name of a plain file
		default:
			rest = append(rest, e)
		}
	}
	for _, d := range t.folders {
		for _, e := range d.files {
			add(e)
		}
		if d.err != nil && d.err != errLoop {
			s.refuse(d.path, d.err)
		}
	}
	for _, e := range t.statics {
		own := *e // what it really is may be found to be another file by the next sweep
		add(&own)
	}
	for name, err := range t.refused {
		s.refuse(name, err)
	}
	s.addSecond(rest)
	return s
}

// addSecond adds files that have other names, each once.
func (s *Set) addSecond(rest []*entry) {
	slices.SortFunc(rest, func(a, b *entry) int {
		if a, b := a.Path != a.Real, b.Path != b.Real; a != b {
			if b {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Path, b.Path)
	})
	reals, keys := make(map[string]string), make(map[fileKey]string)
	for _, e := range rest {
		first, ok := reals[e.Real]
		if _, plain := s.Files[e.Real]; !ok && plain {
			first, ok = e.Real, true
		}
		if !ok && e.links > 1 {
			first, ok = keys[e.key]
		}
		if ok {
			if first != e.Path {
				s.Same[e.Path] = first
			}
			continue
		}
		reals[e.Real] = e.Path
		if e.links > 1 {
			keys[e.key] = e.Path
		}
		s.Files[e.Path] = &File{Path: e.Path, Real: e.Real, Why: e.Why}
	}
}

func (s *Set) refuse(path string, err error) {
	if len(s.Refused) < refusedMost {
		s.Refused[path] = err
	}
}
