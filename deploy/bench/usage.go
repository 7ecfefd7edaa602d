package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks are the units of the times in /proc/PID/stat, a second: 100 on every Linux that Go runs on.
const ticks = 100

// used is the processor time, user and system, that the running process has taken so far; false on machines without
// /proc.
func (pr *process) used() (time.Duration, bool) { return usedBy(pr.cmd.Process.Pid) }

// usedBy is used of the process with that number.
func usedBy(pid int) (time.Duration, bool) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	_, rest, ok := strings.Cut(string(b), ") ") // the name before it may hold spaces
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticks, err1 == nil && err2 == nil
}

// forgetPeak makes the system count the most resident memory from now on. Where it may not be told so, the peak stays
// that of the whole life, which errs against the one that is measured.
func (pr *process) forgetPeak() {
	_ = os.WriteFile(filepath.Join("/proc", strconv.Itoa(pr.cmd.Process.Pid), "clear_refs"), []byte("5"), 0)
}

// memoryMB is a line of the running process's /proc/PID/status in MB: VmRSS is what is resident now, VmHWM the most so
// far. Nil on machines without /proc.
func (pr *process) memoryMB(field string) *float64 {
	kb := statusKB(pr.cmd.Process.Pid, field)
	if kb == 0 {
		return nil
	}
	return new(float64(kb<<10) / 1e6)
}

// descriptors is how many files the running process holds open. Nil on machines without /proc.
func (pr *process) descriptors() *float64 {
	list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pr.cmd.Process.Pid), "fd"))
	if err != nil {
		return nil
	}
	return new(float64(len(list)))
}
