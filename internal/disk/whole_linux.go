package disk

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// mostForOthers is how many bytes may be unwritten on the machine before one sync of a whole file system would
	// write mostly for others.
	mostForOthers = 32 << 20
	// lookedAt is for how long an answer to that is good.
	lookedAt = 10 * time.Millisecond
)

// Whole makes all files of one file system durable by one call: one commit of its journal in place of one for each
// file. It is safe for concurrent use.
type Whole struct {
	dir     *os.File // held open: what failed since then is told at the next sync
	device  uint64
	memory  *os.File // /proc/meminfo
	until   atomic.Int64
	crowded atomic.Bool
}

// OpenWhole is for the file system that dir lies on; nil where one sync of it does not promise what a sync of each file
// does: only ext4 and XFS are known to write the journal behind the data and to flush the disk's cache, and before Linux
// 5.8 syncfs keeps failed writes to itself.
func OpenWhole(dir string) *Whole {
	var kind unix.Statfs_t
	if err := unix.Statfs(dir, &kind); err != nil || kind.Type != unix.EXT4_SUPER_MAGIC && kind.Type != unix.XFS_SUPER_MAGIC || !since(5, 8) {
		return nil
	}
	device, err := deviceOf(dir)
	if err != nil {
		return nil
	}
	// ext2 has ext4's number, and its sync of the whole does not flush the disk's cache: only the mounts tell them apart.
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if name := mountedAs(mounts, device); err != nil || name != "ext4" && name != "xfs" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	memory, err := os.Open("/proc/meminfo")
	if err != nil {
		_ = d.Close()
		return nil
	}
	return &Whole{dir: d, device: device, memory: memory}
}

// Close lets go of the folder.
func (w *Whole) Close() {
	_ = w.dir.Close()
	_ = w.memory.Close()
}

// Sync makes durable what was written to any file before. An error does not say which file it is about.
func (w *Whole) Sync() error {
	raw, err := w.dir.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(fd uintptr) {
		for {
			if serr = unix.Syncfs(int(fd)); serr != unix.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = serr
	}
	return err
}

// Holds says whether a folder lies on this file system.
func (w *Whole) Holds(dir string) bool {
	device, err := deviceOf(dir)
	return err == nil && device == w.device
}

// Crowded says whether so much is unwritten that Sync would write mostly for others.
func (w *Whole) Crowded() bool {
	now := time.Now().UnixNano()
	if now < w.until.Load() {
		return w.crowded.Load()
	}
	var b [4096]byte
	n, _ := w.memory.ReadAt(b[:], 0)
	crowded := unwritten(b[:n]) > mostForOthers
	w.crowded.Store(crowded)
	w.until.Store(now + int64(lookedAt))
	return crowded
}

// unwritten is how many bytes /proc/meminfo says are to be written yet, on all file systems.
func unwritten(meminfo []byte) (sum int64) {
	for line := range bytes.Lines(meminfo) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		if string(name) != "Dirty" && string(name) != "Writeback" {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) != 2 {
			return mostForOthers + 1 // nobody knows
		}
		kilobytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return mostForOthers + 1
		}
		sum += kilobytes << 10
	}
	return sum
}

func deviceOf(dir string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return 0, fmt.Errorf("looking at %s: %w", dir, err)
	}
	return uint64(st.Dev), nil
}

// mountedAs is the kind of the file system on a device, as /proc/self/mountinfo has it: ext4; empty: it is not there.
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw,errors=continue
func mountedAs(mountinfo []byte, device uint64) string {
	want := fmt.Sprintf("%d:%d", unix.Major(device), unix.Minor(device))
	for line := range bytes.Lines(mountinfo) {
		mount, source, _ := bytes.Cut(line, []byte(" - "))
		where, what := bytes.Fields(mount), bytes.Fields(source)
		if len(where) > 2 && string(where[2]) == want && len(what) > 0 {
			return string(what[0])
		}
	}
	return ""
}

// since says whether the kernel is that version or newer.
func since(major, minor int) bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false
	}
	var have [2]int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &have[0], &have[1]); n != 2 {
		return false
	}
	return have[0] > major || have[0] == major && have[1] >= minor
}
