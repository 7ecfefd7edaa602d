//go:build unix

package nobody

import (
	"os/exec"
	"syscall"
)

// id is nobody's user and group id on most systems; that no name belongs to it does
// not matter.
const id = 65534

// become makes the command nobody's.
func become(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
}
