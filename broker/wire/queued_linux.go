package wire

import (
	"net"

	"golang.org/x/sys/unix"
)

// queuedOf asks the kernel how many bytes it holds that the peer of a connection has not taken, under TLS too; nil when
// conn is no TCP.
func queuedOf(conn net.Conn) func() (int, error) {
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = inner.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return func() (n int, err error) {
		if cerr := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); cerr != nil {
			return 0, cerr
		}
		return n, err
	}
}
