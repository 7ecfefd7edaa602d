//go:build !windows

package topics

import (
	"fmt"
	"os"
)

// syncDir makes what was created, renamed or removed in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil { // without it a crash could undo a rename that was answered for
		return fmt.Errorf("syncing folder %s: %w", dir, err)
	}
	return nil
}
