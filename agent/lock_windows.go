package agent

import (
	"os"

	"golang.org/x/sys/windows"
)

// flock takes the lock or fails at once. It covers a byte far behind the pid, which
// others must be able to read.
func flock(f *os.File) error {
	const far = 1 << 30
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{Offset: far})
}
