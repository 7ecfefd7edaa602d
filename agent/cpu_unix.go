//go:build unix

package agent

import (
	"syscall"
	"time"
)

// cpuSpent is the processor time that this process has used.
func cpuSpent() (time.Duration, bool) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0, false
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), true
}
