package crashdisk

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// node is a file or a folder. A file has its content as of its last sync and the
// writes since; a folder has the names it has now and those that survive.
type node struct {
	children, durable map[string]*node // nil: a file
	whole             bool             // all that the real folder held before is in children
	synced            []byte
	writes            []unsynced
}

type unsynced struct {
	at   int64
	data []byte // nil: truncated to at
}

// nameOp is a name in dir that appeared (to) or went (from), or both at once.
type nameOp struct {
	dir      *node
	from, to string
	node     *node
}

// apply makes the operation in a folder's names.
func (o nameOp) apply(names map[string]*node) {
	delete(names, o.from)
	if o.to != "" {
		names[o.to] = o.node
	}
}

// newFolder is an empty folder.
func newFolder() *node {
	return &node{children: map[string]*node{}, durable: map[string]*node{}}
}

// find returns what lies under path, nil for nothing. What was on the real disk
// before enters as durable. The caller holds mu.
func (d *Disk) find(path string) *node {
	n, at := d.mu.root, filepath.VolumeName(path)+string(filepath.Separator)
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(path[len(filepath.VolumeName(path)):])), "/") {
		if part == "" {
			continue
		}
		at = filepath.Join(at, part)
		next := n.children[part]
		if next == nil {
			if next = load(at); next == nil {
				return nil
			}
			n.children[part], n.durable[part] = next, next
		}
		n = next
	}
	return n
}

// load makes a node of what lies on the real disk; of a folder not what is in it.
func load(path string) *node {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if info.IsDir() {
		return newFolder()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return &node{synced: b}
}

// link gives a new node its name. The caller holds mu.
func (d *Disk) link(path string, n *node) {
	dir, name := d.find(filepath.Dir(path)), filepath.Base(path)
	dir.children[name] = n
	n.whole = true
	d.mu.ops = append(d.mu.ops, nameOp{dir: dir, to: name, node: n})
}

// adopt takes in all of a folder that was there before. The caller holds mu.
func (d *Disk) adopt(n *node, path string) {
	if n.children == nil {
		return
	}
	if !n.whole {
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			d.find(filepath.Join(path, e.Name()))
		}
		n.whole = true
	}
	for name, child := range n.children {
		d.adopt(child, filepath.Join(path, name))
	}
}

// PowerCut writes what the folder dir may look like after the power was cut at this
// moment into the new folder to: of the bytes and names since their last sync each
// sector and each name may be there or not.
func (d *Disk) PowerCut(rng *rand.Rand, dir, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(dir)
	if n == nil {
		return &os.PathError{Op: "powercut", Path: dir, Err: os.ErrNotExist}
	}
	d.adopt(n, dir)
	ops := slices.Clone(d.mu.ops)
	if rng.IntN(2) == 0 { // a journal keeps them in order, others promise nothing
		ops = ops[:rng.IntN(len(ops)+1)]
	} else {
		ops = slices.DeleteFunc(ops, func(nameOp) bool { return rng.IntN(2) == 0 })
	}
	return n.image(rng, ops, to)
}

// image writes what is left of a folder.
func (n *node) image(rng *rand.Rand, ops []nameOp, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	names := maps.Clone(n.durable)
	for _, op := range ops {
		if op.dir == n {
			op.apply(names)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) { // in order, so that a seed says all
		child, path := names[name], filepath.Join(to, name)
		var err error
		if child.children != nil {
			err = child.image(rng, ops, path)
		} else {
			err = os.WriteFile(path, child.afterCut(rng), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// settle makes the writes so far part of what survives.
func (n *node) settle() {
	for _, w := range n.writes {
		if w.data == nil {
			n.synced = resize(n.synced, int(w.at))
			continue
		}
		n.synced = resize(n.synced, max(len(n.synced), int(w.at)+len(w.data)))
		copy(n.synced[w.at:], w.data)
	}
	n.writes = nil
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}
