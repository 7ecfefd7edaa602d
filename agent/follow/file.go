package follow

import (
	"errors"
	"io/fs"
)

// ErrNotRegular says that a path leads to a folder, a device, a pipe or a socket.
var ErrNotRegular = errors.New("not a regular file: only regular files are followed")

// file is an open file: what was opened, under which real name, and what it was then.
type file struct {
	handle
	name string
	info fileInfo
}

// id is the file's identity in its first life.
func (f file) id() ID {
	return ID{FS: f.filesystem(f.info), Inode: f.info.key.ino, Birth: f.info.key.birth}
}

// fileKey is which file a name leads to, while the system runs.
type fileKey struct {
	dev, ino uint64
	birth    int64
}

// fileInfo is what a stat says.
type fileInfo struct {
	key   fileKey
	size  int64
	mtime int64 // Unix ns
	links uint64
	mode  fs.FileMode // permissions, and ModeIrregular for all but regular files
}

// missing says that err means: the path leads nowhere.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir)
}
