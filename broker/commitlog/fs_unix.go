//go:build !windows

package commitlog

import "os"

// syncFolder makes creations, renames and removals in dir durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
