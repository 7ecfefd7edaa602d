package journal

import (
	"os"
	"strings"
)

// bootID names this run of the kernel: another one at the next start means that
// what was not fsynced is gone.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}
