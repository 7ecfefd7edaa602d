package file

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile makes a file's bytes and length durable; its other metadata may lag behind.
func syncFile(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
		}
		return nil
	}
}
