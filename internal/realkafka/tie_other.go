//go:build !linux

package realkafka

import "os/exec"

// tie does nothing: the driver ends with its standard input.
func tie(*exec.Cmd) {}

// end kills a program.
func end(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
