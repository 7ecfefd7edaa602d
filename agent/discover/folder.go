package discover

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"time"
)

// folder is one folder as it was last listed.
type folder struct {
	path   string
	real   string // after symlinks; empty: nothing below it is followed
	key    fileKey
	mtime  time.Time
	listed time.Time
	above  *folder
	links  int   // symlinks to folders on the way here
	err    error // why nothing below it is followed
	files  map[string]*entry
	subs   map[string]*folder
}

// errLoop is not told: what is in the folder is found where it really is.
var errLoop = errors.New("a symlink to a folder above it")

// loops says whether d is a symlink to a folder that it lies in.
func (d *folder) loops() bool {
	for up := d.above; up != nil; up = up.above {
		if up.key == d.key && d.key != (fileKey{}) {
			return true
		}
	}
	return d.links > linkMost
}

// tell takes note why nothing below d is followed; nil: it is.
func (t *tree) tell(d *folder, err error) {
	if (err == nil) != (d.err == nil) || err != nil && err.Error() != d.err.Error() {
		t.changed = true
	}
	d.err = err
}

// shut forgets what is in d and why, if at all, it cannot be followed.
func (t *tree) shut(d *folder, err error) {
	for _, sub := range d.subs {
		t.shut(sub, nil)
		t.forget(sub)
	}
	for _, e := range d.files {
		t.attend(e, false)
	}
	t.files -= len(d.files)
	t.changed = t.changed || len(d.files) > 0
	t.tell(d, err)
	t.unwatch(d.real)
	d.files, d.subs, d.real, d.mtime = nil, nil, "", time.Time{}
}

// forget takes d out of the tree.
func (t *tree) forget(d *folder) {
	if t.folders[d.path] == d {
		delete(t.folders, d.path)
	}
	if d.above != nil && d.above.subs[path.Base(d.path)] == d {
		delete(d.above.subs, path.Base(d.path))
	}
}

func (t *tree) watch(real string) {
	if real == "" {
		return
	}
	t.watched[real]++
	t.f.cfg.Events.watch(real, t.f)
}

func (t *tree) unwatch(real string) {
	if real == "" {
		return
	}
	if t.watched[real]--; t.watched[real] <= 0 {
		delete(t.watched, real)
		t.f.cfg.Events.unwatch(real, t.f)
	}
}

// await watches the nearest folder above what is not there yet. When it says so, that one
// was not watched before, and what was made in it just now is not told: look again.
func (t *tree) await(name string) (again bool) {
	for up := filepath.Dir(name); ; up = filepath.Dir(up) {
		real, err := filepath.EvalSymlinks(up)
		if err != nil {
			if up == filepath.Dir(up) {
				return false
			}
			continue
		}
		if st, err := os.Stat(real); err != nil || !st.IsDir() {
			return false
		}
		real = filepath.ToSlash(real)
		if t.awaited[name] == real {
			return false
		}
		t.arrived(name)
		t.awaited[name] = real
		t.watch(real)
		return true
	}
}

// arrived ends what await began.
func (t *tree) arrived(name string) {
	if real, ok := t.awaited[name]; ok {
		delete(t.awaited, name)
		t.unwatch(real)
	}
}
