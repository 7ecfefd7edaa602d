// Package durable replaces small files so that a power cut at any moment leaves the
// old content or the new one under the name, never half of it and never nothing.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
)

// Replace is ReplaceOn the real disk.
func Replace(path string, data []byte, mode os.FileMode) error {
	return ReplaceOn(disk.Real{}, path, data, mode)
}

// ReplaceOn puts data under path with the given mode, whole or not at all. When it
// returns nil the content and its name are on the disk. One caller at a time for one
// path: the new content is written beside it as path.tmp first.
func ReplaceOn(fsys disk.FS, path string, data []byte, mode os.FileMode) error {
	tmp := path + ".tmp"
	if err := write(fsys, tmp, data, mode); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), remove(fsys, tmp))
	}
	if err := fsys.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), remove(fsys, tmp))
	}
	// The name lies in the folder, which has pages of its own: without this the
	// rename could be undone after it was answered for.
	return fsys.SyncDir(filepath.Dir(path))
}

// SyncFolder makes what was created, renamed or removed in dir survive a power cut.
func SyncFolder(dir string) error { return disk.Real{}.SyncDir(dir) }

func write(fsys disk.FS, path string, data []byte, mode os.FileMode) error {
	f, err := fsys.Open(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		// Before the rename: else the name could be durable before the bytes are, and
		// a power cut would leave an empty file under it.
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func remove(fsys disk.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
