package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes a file's bytes and length durable; fdatasync leaves out the
// times, which saves a journal write where the length did not change.
func syncData(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) {
		for {
			if serr = unix.Fdatasync(int(fd)); serr != unix.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = serr
	}
	return err
}
