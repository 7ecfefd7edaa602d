package commitlog

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// crashFS is the disk with a memory of what was never synced and with faults on
// request. powerCut makes the folder that a power cut may leave: of the bytes and
// names since their last sync each sector and each name may be there or not.
type crashFS struct {
	disk
	mu struct {
		sync.Mutex
		nodes   map[string]*node // by the name they have now
		durable map[string]*node // by the name that survives
		names   []nameOp         // since the last syncDir
	}
	// fault is asked before each operation; it may shorten a write.
	fault func(op, path string, n int) (short int, err error)
}

// node is one file's content as of its last sync and the writes since.
type node struct {
	synced []byte
	writes []unsynced
}

type unsynced struct {
	at   int64
	data []byte // nil: truncated to at
}

// nameOp is a name that appeared (to) or went (from).
type nameOp struct {
	from, to string
	node     *node
}

func newCrashFS() *crashFS {
	c := &crashFS{}
	c.mu.nodes, c.mu.durable = map[string]*node{}, map[string]*node{}
	return c
}

func (c *crashFS) check(op, path string, n int) (int, error) {
	if c.fault == nil {
		return n, nil
	}
	return c.fault(op, path, n)
}

func (c *crashFS) open(path string, flag int) (file, error) {
	if _, err := c.check("open", path, 0); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f, err := c.disk.open(path, flag)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.mu.nodes[path]
	if n == nil {
		n = &node{}
		c.mu.nodes[path] = n
		c.mu.names = append(c.mu.names, nameOp{to: path, node: n})
	} else if flag&os.O_TRUNC != 0 {
		n.writes = append(n.writes, unsynced{})
	}
	return &crashFile{file: f, fs: c, node: n, path: path}, nil
}

func (c *crashFS) rename(from, to string) error {
	if _, err := c.check("rename", to, 0); err != nil {
		return err
	}
	if err := c.disk.rename(from, to); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.mu.nodes[from]
	delete(c.mu.nodes, from)
	c.mu.nodes[to] = n
	c.mu.names = append(c.mu.names, nameOp{from: from, to: to, node: n})
	return nil
}

func (c *crashFS) remove(path string) error {
	if _, err := c.check("remove", path, 0); err != nil {
		return err
	}
	if err := c.disk.remove(path); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.nodes, path)
	c.mu.names = append(c.mu.names, nameOp{from: path})
	return nil
}

func (c *crashFS) syncDir(dir string) error {
	if _, err := c.check("syncdir", dir, 0); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	settle(c.mu.durable, c.mu.names)
	c.mu.names = nil
	return nil
}

// settle makes name operations durable.
func settle(names map[string]*node, ops []nameOp) {
	for _, op := range ops {
		delete(names, op.from)
		if op.to != "" {
			names[op.to] = op.node
		}
	}
}

// powerCut writes what dir may look like after the power was cut into a new folder
// of the same name.
func (c *crashFS) powerCut(t testing.TB, rng *rand.Rand, dir string) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string]*node{}
	for name, n := range c.mu.durable {
		names[name] = n
	}
	ops := slices.Clone(c.mu.names)
	if rng.IntN(2) == 0 { // a journal keeps them in order, others promise nothing
		ops = ops[:rng.IntN(len(ops)+1)]
	} else {
		ops = slices.DeleteFunc(ops, func(nameOp) bool { return rng.IntN(2) == 0 })
	}
	settle(names, ops)
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, n := range names {
		if strings.HasPrefix(name, dir) {
			writeFile(t, filepath.Join(to, filepath.Base(name)), n.afterCut(rng))
		}
	}
	return to
}

const sector = 512

// afterCut is the synced content with any of the later sectors over it.
func (n *node) afterCut(rng *rand.Rand) []byte {
	b := append([]byte(nil), n.synced...)
	luck := rng.IntN(4) // how many of four sectors make it
	for _, w := range n.writes {
		if w.data == nil {
			if rng.IntN(2) == 0 {
				b = resize(b, int(w.at))
			}
			continue
		}
		for i := 0; i < len(w.data); {
			end := min(len(w.data), i+sector-(int(w.at)+i)%sector)
			if rng.IntN(4) < luck {
				at := int(w.at) + i
				b = resize(b, max(len(b), at+end-i))
				copy(b[at:], w.data[i:end])
			}
			i = end
		}
	}
	return b
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}

// crashFile is an open file of a crashFS.
type crashFile struct {
	file
	fs   *crashFS
	node *node
	path string
}

func (f *crashFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.fs.check("write", f.path, len(b))
	f.note(unsynced{at, append([]byte{}, b[:n]...)})
	if wrote, werr := f.file.WriteAt(b[:n], at); werr != nil {
		return wrote, werr
	}
	return n, err
}

func (f *crashFile) Truncate(size int64) error {
	if _, err := f.fs.check("truncate", f.path, 0); err != nil {
		return err
	}
	f.note(unsynced{at: size})
	return f.file.Truncate(size)
}

func (f *crashFile) note(w unsynced) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.node.writes = append(f.node.writes, w)
}

func (f *crashFile) sync() error {
	if _, err := f.fs.check("sync", f.path, 0); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	for _, w := range f.node.writes {
		if w.data == nil {
			f.node.synced = resize(f.node.synced, int(w.at))
			continue
		}
		f.node.synced = resize(f.node.synced, max(len(f.node.synced), int(w.at)+len(w.data)))
		copy(f.node.synced[w.at:], w.data)
	}
	f.node.writes = nil
	return nil
}
