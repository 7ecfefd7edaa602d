// Package crashdisk is a disk for tests: the real one with a memory of what was never synced, which makes the folder
// that a power cut may leave, and with faults on request.
package crashdisk

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

// Disk is a disk.FS. What goes through it also happens on the real disk, but nothing is synced there. It is safe for
// concurrent use. What lay on the disk before is taken to be durable.
type Disk struct {
	fault atomic.Pointer[Fault]
	mu    struct { // held over whole operations on names, so that a power cut sees them done or not begun
		sync.Mutex
		root *node
		ops  []nameOp // not synced yet, in order
	}
}

// Fault is asked before each operation: open, write, truncate, sync, rename, remove, syncdir, mkdir, chtimes. An error
// fails it. Of the n bytes of a write only the first short ones are written; with a nil error that many must be n.
type Fault func(op, path string, n int) (short int, err error)

// New returns a disk without faults.
func New() *Disk {
	d := &Disk{}
	d.mu.root = newFolder()
	return d
}

// SetFault replaces the fault; nil: none any more.
func (d *Disk) SetFault(f Fault) {
	if f == nil {
		d.fault.Store(nil)
		return
	}
	d.fault.Store(&f)
}

func (d *Disk) check(op, path string, n int) (int, error) {
	f := d.fault.Load()
	if f == nil {
		return n, nil
	}
	short, err := (*f)(op, path, n)
	if err != nil {
		err = &fs.PathError{Op: op, Path: path, Err: err}
	}
	return short, err
}

// Open opens a file as os.OpenFile does.
func (d *Disk) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	if _, err := d.check("open", path, 0); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(path) // before its bytes change
	f, err := disk.Real{}.Open(path, flag, mode)
	if err != nil {
		return nil, err
	}
	switch {
	case n == nil:
		n = &node{}
		d.link(path, n)
	case flag&os.O_TRUNC != 0:
		n.writes = append(n.writes, unsynced{})
	}
	return &file{File: f, disk: d, node: n, path: path}, nil
}

// Stat says what lies under a name.
func (d *Disk) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// ReadDir lists a folder by name.
func (d *Disk) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }

// Mkdir makes one folder.
func (d *Disk) Mkdir(dir string, mode fs.FileMode) error {
	if _, err := d.check("mkdir", dir, 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.Mkdir(dir, mode); err != nil {
		return err
	}
	d.link(dir, newFolder())
	return nil
}

// Rename gives a file or folder another name.
func (d *Disk) Rename(from, to string) error {
	if _, err := d.check("rename", to, 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(from)
	if n != nil {
		d.adopt(n, from)
	}
	d.find(to) // what it was until now may survive
	if err := os.Rename(from, to); err != nil {
		return err
	}
	a, b := d.find(filepath.Dir(from)), d.find(filepath.Dir(to))
	old, name := filepath.Base(from), filepath.Base(to)
	delete(a.children, old)
	b.children[name] = n
	if a == b { // one step, there or not
		d.mu.ops = append(d.mu.ops, nameOp{dir: a, from: old, to: name, node: n})
		return nil
	}
	d.mu.ops = append(d.mu.ops, nameOp{dir: b, to: name, node: n}, nameOp{dir: a, from: old})
	return nil
}

// Remove takes a name away.
func (d *Disk) Remove(path string) error {
	if _, err := d.check("remove", path, 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.find(path) // its bytes may survive
	if err := os.Remove(path); err != nil {
		return err
	}
	dir, name := d.find(filepath.Dir(path)), filepath.Base(path)
	delete(dir.children, name)
	d.mu.ops = append(d.mu.ops, nameOp{dir: dir, from: name})
	return nil
}

// SyncDir makes the names in dir durable.
func (d *Disk) SyncDir(dir string) error {
	if _, err := d.check("syncdir", dir, 0); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(dir)
	if n == nil {
		return &fs.PathError{Op: "syncdir", Path: dir, Err: fs.ErrNotExist}
	}
	var others []nameOp
	for _, op := range d.mu.ops {
		if op.dir == n {
			op.apply(n.durable)
		} else {
			others = append(others, op)
		}
	}
	d.mu.ops = others
	return nil
}

// Chtimes sets the time of the last write, which a power cut may lose.
func (d *Disk) Chtimes(path string, t time.Time) error {
	if _, err := d.check("chtimes", path, 0); err != nil {
		return err
	}
	return os.Chtimes(path, t, t)
}

// file is an open file of a Disk.
type file struct {
	disk.File
	disk *Disk
	node *node
	path string
}

// WriteAt writes b, or as much of it as the fault lets through.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.disk.check("write", f.path, len(b))
	f.note(unsynced{at, append([]byte{}, b[:n]...)})
	if wrote, werr := f.File.WriteAt(b[:n], at); werr != nil {
		return wrote, werr
	}
	return n, err
}

// Truncate sets the size.
func (f *file) Truncate(size int64) error {
	if _, err := f.disk.check("truncate", f.path, 0); err != nil {
		return err
	}
	f.note(unsynced{at: size})
	return f.File.Truncate(size)
}

func (f *file) note(w unsynced) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.writes = append(f.node.writes, w)
}

// Sync makes what was written so far survive; the real disk is left alone.
func (f *file) Sync() error {
	if _, err := f.disk.check("sync", f.path, 0); err != nil {
		return err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.node.settle()
	return nil
}
