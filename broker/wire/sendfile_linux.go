package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawConn sends by system calls of its own on a TCP connection.
type rawConn interface {
	sendMore(b []byte) error                                      // b, and more follows at once
	sendfile(f *os.File, position int64, length int) (int, error) // from an explicit position: f is shared
}

type tcpConn struct{ raw syscall.RawConn }

// rawOf is nil when conn is not plain TCP.
func rawOf(conn net.Conn) rawConn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return tcpConn{raw}
}

func (t tcpConn) sendMore(b []byte) error {
	var failed error
	err := t.raw.Write(func(fd uintptr) bool {
		for len(b) > 0 {
			n, err := unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if errors.Is(err, unix.EAGAIN) {
				return false // the runtime waits until the socket takes more
			}
			if failed = err; err != nil {
				return true
			}
			b = b[n:]
		}
		return true
	})
	return errors.Join(err, failed)
}

// sendfile moves at least one byte. os.File's own path would send from the descriptor's current position, which
// all who read the segment share; here the offset is ours.
func (t tcpConn) sendfile(f *os.File, position int64, length int) (int, error) {
	var sent int
	var failed error
	source, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = t.raw.Write(func(to uintptr) bool {
		again := false
		failed = source.Control(func(from uintptr) {
			sent, err = sendfileOnce(int(to), int(from), position, length)
			again = errors.Is(err, unix.EAGAIN)
		})
		if failed == nil && !again {
			failed = err
		}
		return !again
	})
	if failed != nil {
		return 0, failed
	}
	return sent, err
}

func sendfileOnce(to, from int, position int64, length int) (int, error) {
	for {
		n, err := unix.Sendfile(to, from, &position, length)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.ErrUnexpectedEOF // the file is shorter than its span
		}
		return n, nil
	}
}
