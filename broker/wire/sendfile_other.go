//go:build !linux

package wire

import (
	"net"
	"os"
)

// rawConn is not used here: file ranges are copied through a buffer.
type rawConn interface {
	sendMore(b []byte) error
	sendfile(f *os.File, position int64, length int) (int, error)
}

func rawOf(net.Conn) rawConn { return nil }
