//go:build unix

package agent

import (
	"os"

	"golang.org/x/sys/unix"
)

// flock takes the lock or fails at once; the kernel lets go of it with the process.
func flock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
