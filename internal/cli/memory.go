package cli

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// keepWithin has the garbage collector work harder when the process comes near to the memory that its container, or its
// systemd unit, may use, instead of being killed there. A GOMEMLIMIT in the environment counts as it is.
func keepWithin(log *slog.Logger) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := groupLimit(os.DirFS("/")); limit > 0 {
		most := limit - limit/10 // the rest is for stacks, the runtime and what the kernel keeps for the process
		debug.SetMemoryLimit(most)
		log.Debug("memory is limited by the control group", "limit", limit, "collector", most)
	}
}

// groupLimit is how many bytes the control group of this process, or one above it, may use; 0: there is no limit to be
// found.
func groupLimit(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	for line := range strings.Lines(string(groups)) { // 0::/system.slice/loghaul.service, or 7:memory:/docker/ID
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		folder, file := "", ""
		switch {
		case parts[0] == "0" && parts[1] == "":
			folder, file = "sys/fs/cgroup", "memory.max"
		case parts[1] == "memory":
			folder, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			if n := readLimit(root, path.Join(folder, at, file)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}

// readLimit reads one file; "max" and the first version's very large numbers are no limit, 0.
func readLimit(root fs.FS, name string) int64 {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil || n <= 0 || n >= 1<<60 {
		return 0
	}
	return n
}
