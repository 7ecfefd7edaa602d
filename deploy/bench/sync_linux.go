package bench

import "golang.org/x/sys/unix"

// settleDisk waits until the system has written what processes have left unwritten.
func settleDisk() { unix.Sync() }
