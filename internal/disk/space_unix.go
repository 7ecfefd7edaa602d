//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

// Space is the size of the disk under a folder and what is free on it for us, in bytes; -1: it does not say.
func Space(folder string) (total, free int64) {
	var s unix.Statfs_t
	if unix.Statfs(folder, &s) != nil {
		return -1, -1
	}
	return int64(s.Blocks) * int64(s.Bsize), int64(s.Bavail) * int64(s.Bsize)
}
