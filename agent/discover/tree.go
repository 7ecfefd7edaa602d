package discover

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"time"
)

const (
	settle   = 2 * time.Second // a folder changed so recently may change again without a new mtime
	recheck  = 5 * time.Second // how often links and what is refused are looked at again
	fullLook = time.Minute     // how often folders are listed whatever their mtime says
	linkMost = 16              // symlinks to folders on one path
)

// fileKey is which file or folder a name leads to.
type fileKey struct{ dev, ino uint64 }

// tree is what a Finder knows of the folders that its patterns reach. Each sweep
// asks every folder for its mtime and lists those that changed.
type tree struct {
	f       *Finder
	folders map[string]*folder // by path as walked
	statics map[string]*entry  // files named without a wildcard
	refused map[string]error   // patterns, and folders and files that they name
	awaited map[string]string  // what is not there yet, and the real folder watched for it
	watched map[string]int     // real folders, and how many of ours they stand for
	files   int                // entries in all folders
	over    string             // a pattern that matched more than MaxFiles
	checked time.Time          // when links and what is refused were last looked at
	took    time.Duration      // how long that was
	again   bool               // they are looked at again in this sweep
	changed bool               // by the sweep that is going on
}

func newTree(f *Finder) *tree {
	return &tree{f: f, folders: make(map[string]*folder), statics: make(map[string]*entry), refused: make(map[string]error),
		awaited: make(map[string]string), watched: make(map[string]int)}
}

// sweep looks at everything and says whether anything may have changed.
func (t *tree) sweep(ctx context.Context) bool {
	t.changed = false
	if t.again = time.Since(t.checked) >= max(recheck, 400*t.took); t.again {
		t.checked = time.Now()
	}
	if t.over != "" && t.files < t.f.cfg.MaxFiles && t.again {
		t.refuse(t.over, nil)
		t.over = ""
		for _, d := range t.folders {
			d.mtime = time.Time{}
		}
	}
	for _, p := range t.f.include {
		t.begin(ctx, p)
	}
	if t.again {
		began := time.Now()
		t.lookAgain()
		t.took = time.Since(began)
	}
	return t.changed
}

// touch looks into the real folders that events spoke of; nil: everywhere.
func (t *tree) touch(ctx context.Context, dirty map[string]bool) bool {
	if dirty == nil {
		return t.sweep(ctx)
	}
	t.changed, t.again = false, false
	for _, d := range t.folders {
		if d.real != "" && dirty[d.real] {
			d.mtime = time.Time{}
			t.visit(ctx, d)
		}
	}
	for _, p := range t.f.include {
		if p.static || t.folders[p.base] == nil {
			t.begin(ctx, p)
		}
	}
	return t.changed
}

// begin looks at the file or the folder that p begins with.
func (t *tree) begin(ctx context.Context, p pattern) {
	if p.static {
		t.static(p)
		return
	}
	d := t.folders[p.base]
	if d == nil {
		st, err := os.Stat(p.base)
		for os.IsNotExist(err) && t.await(p.base) {
			st, err = os.Stat(p.base)
		}
		if err == nil && !st.IsDir() {
			err = fmt.Errorf("%s is not a folder", p.base)
		}
		if err != nil {
			t.await(p.base)
			t.refuse(p.base, folderError(err))
			return
		}
		d = &folder{path: p.base}
		t.folders[p.base] = d
	}
	t.arrived(p.base)
	t.refuse(p.base, nil)
	t.visit(ctx, d)
}

// folderError is what is worth telling about a folder that cannot be looked
// into; one that is not there yet is not.
func folderError(err error) error {
	if err == nil || os.IsNotExist(err) {
		return nil
	}
	if os.IsPermission(err) {
		return fmt.Errorf("looking for files: %w: give the agent's user the right to read the folder", err)
	}
	return fmt.Errorf("looking for files: %w", err)
}

// visit lists d if it has changed, and goes on below it.
func (t *tree) visit(ctx context.Context, d *folder) {
	if ctx.Err() != nil {
		return
	}
	st, err := os.Stat(d.path)
	if err == nil && !st.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		t.shut(d, folderError(err))
		if d.above == nil {
			t.forget(d)
		}
		return
	}
	if key, _ := keyOf(st); key != d.key || d.real == "" {
		if d.err != nil && key == d.key && !t.again {
			return
		}
		if !t.enter(d, key) {
			return
		}
	}
	now := time.Now()
	if !st.ModTime().Equal(d.mtime) || d.listed.Sub(d.mtime) < settle || now.Sub(d.listed) > fullLook {
		d.mtime, d.listed = st.ModTime(), now
		t.list(ctx, d)
	}
	for _, sub := range d.subs {
		t.visit(ctx, sub)
	}
}

// enter takes note which folder d leads to now and watches it. It is false when
// nothing below it may be read, or when it is one of the folders above it.
func (t *tree) enter(d *folder, key fileKey) bool {
	t.shut(d, nil)
	d.key = key
	real, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		t.shut(d, folderError(err))
		return false
	}
	real = filepath.ToSlash(real)
	if d.loops() {
		d.err = errLoop
		return false
	}
	if err := t.f.cfg.Access.checkFolder(real); err != nil {
		t.shut(d, err)
		return false
	}
	d.real = real
	t.watch(real)
	return true
}

// list reads the names in d, takes in what is new and drops what is gone.
func (t *tree) list(ctx context.Context, d *folder) {
	t.f.cfg.Events.watch(d.real, t.f) // again: it may be another folder of the same number
	files, subs := make(map[string]*entry), make(map[string]*folder)
	err := eachName(ctx, d.path, func(e fs.DirEntry) { t.name(d, e, files, subs) })
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if d.files == nil {
			d.files = files
		}
		maps.Copy(d.files, files) // they are counted
		t.shut(d, folderError(err))
		return
	}
	t.tell(d, nil)
	for name, e := range d.files {
		switch files[name] {
		case e:
		case nil:
			t.files--
			t.changed = true
			fallthrough
		default:
			t.attend(e, false)
		}
	}
	gone := d.subs
	d.files, d.subs = files, subs
	for name, sub := range gone {
		if subs[name] != sub {
			t.shut(sub, nil)
			t.forget(sub)
		}
	}
}

// namesAtOnce is how many names of a folder are in memory at a time.
const namesAtOnce = 1024

// eachName calls f for every name in a folder, in no order. A folder may hold a million of
// which few are followed.
func eachName(ctx context.Context, name string, f func(fs.DirEntry)) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.ReadDir(namesAtOnce)
		for _, e := range names {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f(e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// name takes in one name of d.
func (t *tree) name(d *folder, e fs.DirEntry, files map[string]*entry, subs map[string]*folder) {
	name := path.Join(d.path, e.Name())
	kind, link := e.Type(), e.Type()&fs.ModeSymlink != 0
	if link {
		kind = 0
		if st, err := os.Stat(name); err == nil {
			kind = st.Mode().Type()
		}
	}
	if kind.IsDir() {
		t.sub(d, e.Name(), link, subs)
		return
	}
	old := d.files[e.Name()]
	if old != nil && old.listed == e.Type() && !link {
		files[e.Name()] = old
		return
	}
	why, ok := t.match(name)
	if !ok {
		return
	}
	if old == nil {
		if t.files >= t.f.cfg.MaxFiles {
			t.overflow(why)
			return
		}
		t.files++
	}
	n := &entry{File: File{Path: name, Real: name, Why: why}, link: link, listed: e.Type()}
	if d.real != d.path { // else there is one string for both: with very many files they are most of what is remembered
		n.Real = path.Join(d.real, e.Name())
	}
	t.examine(n)
	t.attend(n, link)
	files[name[len(name)-len(e.Name()):]] = n
	t.changed = t.changed || old == nil || !sameEntry(*old, *n)
}

// sub takes in a folder below d, if a pattern reaches below it.
func (t *tree) sub(d *folder, name string, link bool, subs map[string]*folder) {
	full := path.Join(d.path, name)
	for _, p := range t.f.include {
		if !p.reaches(full) {
			continue
		}
		s := d.subs[name]
		if s == nil {
			s = t.folders[full]
		}
		if s == nil {
			if len(t.folders) >= t.f.cfg.MaxFiles {
				t.overflow(p.text)
				return
			}
			s = &folder{path: full, above: d, links: d.links}
			if link {
				s.links++
			}
			t.folders[full] = s
		}
		subs[name] = s
		return
	}
}
