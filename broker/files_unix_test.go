//go:build unix

package broker_test

import "syscall"

// openFiles tries to let this process have so many files open, and says how many it may.
func openFiles(want uint64) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	if uint64(limit.Cur) >= want {
		return uint64(limit.Cur)
	}
	raised := limit
	raised.Cur = limit.Max
	if uint64(limit.Max) < want { // root may raise that too
		raised.Cur, raised.Max = 65_536, 65_536
	}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		limit = raised
	}
	return uint64(limit.Cur)
}
