package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// MkdirAll makes a folder with those above it; one that is there is fine. Their names are not durable yet.
func MkdirAll(fsys FS, dir string, mode fs.FileMode) error {
	info, err := fsys.Stat(dir)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return fmt.Errorf("making folder %s: a file has this name", dir)
	}
	if above := filepath.Dir(dir); above != dir {
		if err := MkdirAll(fsys, above, mode); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// RemoveAll removes a file, or a folder with all that is in it; nothing there is fine. It goes on past what cannot be
// removed and returns the first error.
func RemoveAll(fsys FS, path string) error {
	err := fsys.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entries, derr := fsys.ReadDir(path)
	if derr != nil {
		return err // no folder, or one that cannot be read
	}
	var first error
	for _, e := range entries {
		if err := RemoveAll(fsys, filepath.Join(path, e.Name())); first == nil {
			first = err
		}
	}
	if first != nil {
		return first
	}
	return fsys.Remove(path)
}
