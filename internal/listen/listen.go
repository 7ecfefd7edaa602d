// Package listen opens a port, and when another process has it says which one and what to do.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Listen listens on addr. When the address is taken the error names who has it, if that can be found out, and flag,
// the option that chooses another: listening on 127.0.0.1:9092: address in use by pid 812 (kafka): choose another
// with --broker-listen.
func Listen(ctx context.Context, network, addr, flag string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, addr)
	if err == nil {
		return l, nil
	}
	if !inUse(err) {
		return nil, fmt.Errorf("listening on %s: %w: choose another address with %s", addr, cause(err), flag)
	}
	return nil, &InUseError{Addr: addr, Flag: flag, Owner: owner(addr), Err: err}
}

// InUseError says that another process has the address.
type InUseError struct {
	Addr  string
	Flag  string // the option that chooses another address
	Owner string // "pid 812 (kafka)", or empty when it is not known
	Err   error
}

// Error names address, owner and option.
func (e *InUseError) Error() string {
	by := ""
	if e.Owner != "" {
		by = " by " + e.Owner
	}
	return fmt.Sprintf("listening on %s: address in use%s: choose another with %s", e.Addr, by, e.Flag)
}

// Unwrap is the operating system's error.
func (e *InUseError) Unwrap() error { return e.Err }

// wsaInUse is Windows' own number for an address in use.
const wsaInUse = syscall.Errno(10048)

func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaInUse)
}

// cause leaves out what the caller says itself: operation, network and address.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// port of host:port, 0 when it is not a number.
func port(addr string) int {
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(p)
	return n
}
