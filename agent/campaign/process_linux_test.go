package campaign

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end the child when this test is killed itself.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
