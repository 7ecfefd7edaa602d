package commitlog

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
)

// replace makes path hold b: either the old content or the new one is there after
// a crash, never a mix, because the new bytes are synced before they get the name.
// The name itself is durable after the next syncDir.
func replace(fsys disk.FS, path string, b []byte) error {
	tmp := path + tmpSuffix
	f, err := fsys.Open(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("creating %s: %w", tmp, err)
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		_ = fsys.Remove(tmp)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// lay writes a new file that nobody reads before the caller has made it durable; after
// a crash it may be there in part.
func lay(fsys disk.FS, path string, b []byte) error {
	f, err := fsys.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("creating %s: %w", path, err)
	}
	_, err = f.WriteAt(b, 0)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// tmpSuffix ends the name of a file that has not got its real name yet; Open
// removes what a crash left of them.
const tmpSuffix = ".tmp"

// makeFolder creates dir if it is missing and makes its name durable.
func makeFolder(fsys disk.FS, dir string) error {
	switch err := fsys.Mkdir(dir, 0o700); {
	case os.IsExist(err):
		return nil
	case err != nil:
		return err
	}
	// Without this a power cut could forget the whole partition.
	return fsys.SyncDir(filepath.Dir(dir))
}
