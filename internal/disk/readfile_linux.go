package disk

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// readReal reads a small file with four system calls. An os.File takes ten, because it asks whether it can be waited
// for; a start reads several files of each log, and there may be thousands of logs.
func readReal(path string, limit int64) ([]byte, error) {
	fd, err := retried(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd) // nothing was written
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if info.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil, fmt.Errorf("reading %s: it is a folder", path)
	}
	if info.Size > limit {
		return nil, tooLarge(path, info.Size, limit)
	}
	b := make([]byte, info.Size)
	for n := 0; n < len(b); {
		got, err := retried(func() (int, error) { return unix.Pread(fd, b[n:], int64(n)) })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if got == 0 { // shorter by now
			return b[:n], nil
		}
		n += got
	}
	return b, nil
}

// retried does it again as long as signals interrupt it.
func retried(do func() (int, error)) (int, error) {
	for {
		n, err := do()
		if err != unix.EINTR {
			return n, err
		}
	}
}
