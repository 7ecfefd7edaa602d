//go:build unix && !linux

package follow

import (
	"io/fs"
	"os"
	"syscall"
)

var errNotDir error = syscall.ENOTDIR

func openShared(path string) (*os.File, error) { return os.Open(path) }

func infoOf(_ *os.File, st fs.FileInfo) (fileInfo, error) {
	info := fileInfo{size: st.Size(), mtime: st.ModTime().UnixNano(), links: 1, mode: st.Mode().Perm()}
	if !st.Mode().IsRegular() {
		info.mode |= fs.ModeIrregular
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		info.key = fileKey{dev: uint64(sys.Dev), ino: uint64(sys.Ino), birth: birthOf(sys)}
		info.links = uint64(sys.Nlink)
	}
	return info, nil
}

// statPath says what path leads to, symlinks followed.
func statPath(path string) (fileInfo, error) {
	st, err := os.Stat(path)
	if err != nil {
		return fileInfo{}, err
	}
	return infoOf(nil, st)
}

// statName says what path itself is, symlinks not followed.
func statName(path string) (fileInfo, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return fileInfo{}, err
	}
	return infoOf(nil, st)
}
