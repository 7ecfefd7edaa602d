package follow

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	settledAfter = 3 * time.Second // a folder that has not changed for so long shows its next change in its time, on any file system
	namesMost    = 1 << 17         // names that are kept of all folders together, about 8 MB
)

// folders keeps the names in folders that have not changed since they were listed: a start
// with ten thousand files in one folder asks for what lies beside each of them. It is safe
// for use by several goroutines.
var folders struct {
	sync.Mutex
	kept  map[string]listing // by folder
	total int                // names in kept
}

// listing is the names in a folder as it was when it had the time mtime. Names are sorted, and
// nobody changes them.
type listing struct {
	key   fileKey
	mtime int64
	names []string
}

// namesIn are the names in dir, sorted, which is as info says. They must not be changed.
func namesIn(dir string, info fileInfo) ([]string, error) {
	folders.Lock()
	l, ok := folders.kept[dir]
	folders.Unlock()
	if ok && l.key == info.key && l.mtime == info.mtime {
		return l.names, nil
	}
	begun := time.Now()
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	if begun.Sub(time.Unix(0, info.mtime)) < settledAfter || len(names) > namesMost {
		return names, nil
	}
	if after, err := statPath(dir); err == nil && after.key == info.key && after.mtime == info.mtime {
		keepNames(dir, listing{info.key, info.mtime, names})
	}
	return names, nil
}

// keepNames keeps l for dir, and forgets all others when they are too many.
func keepNames(dir string, l listing) {
	folders.Lock()
	defer folders.Unlock()
	folders.total -= len(folders.kept[dir].names)
	if folders.kept == nil || folders.total+len(l.names) > namesMost || len(folders.kept) >= namesMost/16 {
		folders.kept, folders.total = map[string]listing{}, 0
	}
	folders.kept[dir] = l
	folders.total += len(l.names)
}

// beginning are those of sorted names that begin with prefix.
func beginning(names []string, prefix string) []string {
	from, _ := slices.BinarySearch(names, prefix)
	to := from
	for to < len(names) && strings.HasPrefix(names[to], prefix) {
		to++
	}
	return names[from:to]
}

// stem is what all names begin with that base is given when it is rotated, archives too.
func stem(base string) string {
	if s := strings.TrimSuffix(base, filepath.Ext(base)); s != "" {
		return s
	}
	return base
}
