//go:build !linux

package follow

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// handle is an open file that is read at positions. The zero handle is closed.
type handle struct {
	f  *os.File
	in Bytes // instead of a file
}

func (h handle) open() bool { return h.f != nil || h.in != nil }

func (h *handle) close() {
	if h.f != nil {
		h.f.Close()
	}
	if h.in != nil {
		h.in.Close()
	}
	*h = handle{}
}

// pread reads at position at: fewer bytes than b holds mean the file's end.
func (h handle) pread(b []byte, at int64) (int, error) {
	if h.in != nil {
		return h.in.ReadAt(b, at)
	}
	n, err := h.f.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (h handle) stat() (fileInfo, error) {
	st, err := h.f.Stat()
	if err != nil {
		return fileInfo{}, err
	}
	return infoOf(h.f, st)
}

// openFile opens the regular file that path leads to, if allow lets it, and says
// its real path.
func openFile(path string, allow func(real string) error) (f file, err error) {
	info, err := statPath(path)
	if err != nil {
		return f, err
	}
	if info.mode&fs.ModeIrregular != 0 {
		return f, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return f, err
	}
	if allow != nil {
		if err := allow(real); err != nil {
			return f, err
		}
	}
	opened, err := openShared(real)
	if err != nil {
		return f, err
	}
	f = file{handle: handle{f: opened}, name: real}
	if f.info, err = f.stat(); err == nil && f.info.key != info.key {
		err = fmt.Errorf("%s: changed while it was opened", path)
	}
	if err != nil {
		f.close()
	}
	return f, err
}

func (h handle) filesystem(info fileInfo) uint64 { return info.key.dev }

// forsaken cannot be found out here.
func (h handle) forsaken() bool { return false }
