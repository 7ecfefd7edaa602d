//go:build linux || darwin

package handle

import "golang.org/x/sys/unix"

// diskRoom is the size of the disk under a folder and what is free on it for us, in bytes; -1: it does not say.
func diskRoom(folder string) (total, usable int64) {
	var s unix.Statfs_t
	if unix.Statfs(folder, &s) != nil {
		return -1, -1
	}
	return int64(s.Blocks) * int64(s.Bsize), int64(s.Bavail) * int64(s.Bsize)
}
