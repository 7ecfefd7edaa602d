//go:build unix

package disk

import (
	"errors"
	"fmt"
	"os"
)

// SyncDir makes what was created, renamed or removed in dir survive a power cut.
func (Real) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	// The names lie in the folder's own pages; syncing the files does not reach them.
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	return nil
}
