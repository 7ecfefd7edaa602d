package disk

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// ReadFile reads a file whole.
func ReadFile(fsys FS, path string) ([]byte, error) { return ReadUpTo(fsys, path, math.MaxInt64) }

// ReadUpTo reads a file whole, unless it has more than limit bytes.
func ReadUpTo(fsys FS, path string, limit int64) ([]byte, error) {
	if _, real := fsys.(Real); real {
		return readReal(path, limit)
	}
	return readThrough(fsys, path, limit)
}

// readThrough is ReadUpTo with the calls that every file system has.
func readThrough(fsys FS, path string, limit int64) ([]byte, error) {
	f, err := fsys.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("reading %s: it is a folder", path)
	}
	if info.Size() > limit {
		return nil, tooLarge(path, info.Size(), limit)
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) { // shorter by now
		err = nil
	}
	return b[:n], err
}

func tooLarge(path string, size, limit int64) error {
	return fmt.Errorf("%s has %d bytes, more than %d", path, size, limit)
}
