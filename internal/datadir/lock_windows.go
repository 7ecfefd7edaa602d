package datadir

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockAt is a byte far behind the file's content, which others must still be able
// to read.
const lockAt = 1 << 30

// tryLock takes the lock or fails at once.
func tryLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{Offset: lockAt})
}
