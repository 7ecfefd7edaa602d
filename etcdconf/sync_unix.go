//go:build unix

package etcdconf

import (
	"fmt"
	"os"
)

// syncFolder makes a rename survive a power cut: the name itself lies in the folder, which has its own pages.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}
