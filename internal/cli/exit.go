package cli

import (
	"errors"
	"fmt"
)

// The exit codes, which scripts rely on.
const (
	exitDone     = 0 // done, also when fewer records were there than asked for
	exitFailed   = 1 // a bad value, an unknown topic, a part that could not go on
	exitUsage    = 2 // a flag, argument or command that does not exist
	exitDegraded = 3 // it works, but not whole: an input FAILED, an agent gone
)

// exitError carries the exit code of a command beside its reason. A nil err ends quietly with that code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageErrorf is wrong usage: exit code 2, followed by one line that says where help is.
func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// degraded ends a command that did its work and printed it with exit code 3; err may be nil.
func degraded(err error) error { return &exitError{code: exitDegraded, err: err} }

// exitCode is the code a command's error stands for.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailed
}
