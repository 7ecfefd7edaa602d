//go:build unix

package broker

import "golang.org/x/sys/unix"

// mostFiles is how many files this process may have open; the runtime has raised that to what the system lets it have.
// 0: not known.
func mostFiles() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<40 {
		return 0
	}
	return int64(limit.Cur)
}
