//go:build !linux

package journal

import (
	"os"
	"runtime"
)

// bootID is not to be had here, so a torn end is the only sign of a power cut.
func bootID() string { return "" }

// syncDir makes the names in a folder survive a power cut, where the system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows gives no handle on a folder that could be synced
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
