//go:build unix

package durable

import (
	"errors"
	"fmt"
	"os"
)

// SyncFolder makes what was created, renamed or removed in dir survive a power cut.
func SyncFolder(dir string) error {
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
