//go:build unix

package bench

import (
	"os"
	"syscall"
)

// askToEnd lets the process drain.
func askToEnd(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
