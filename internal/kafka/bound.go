package kafka

import (
	"context"
	"net"

	"github.com/IBM/sarama"
)

// EndWith ties the connections that s opens from now on to ctx: when it ends they are
// closed. sarama's calls take no context and wait for a broker that accepts and never
// answers as long as their timeouts allow; this is how they are told to stop. It uses
// the place that sarama has for a proxy's dialer.
func EndWith(ctx context.Context, s *sarama.Config) {
	s.Net.Proxy.Enable = true
	s.Net.Proxy.Dialer = boundDialer{ctx, net.Dialer{Timeout: s.Net.DialTimeout, KeepAlive: s.Net.KeepAlive}}
}

// boundDialer holds the context because the interface that sarama calls has none.
type boundDialer struct {
	ctx context.Context
	net.Dialer
}

// Dial connects, and closes the connection when the context ends.
func (d boundDialer) Dial(network, addr string) (net.Conn, error) {
	conn, err := d.DialContext(d.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &boundConn{Conn: conn}
	c.forget = context.AfterFunc(d.ctx, func() { conn.Close() })
	return c, nil
}

// boundConn is a connection that a context may close.
type boundConn struct {
	net.Conn
	forget func() bool
}

// Close closes the connection and lets go of the context.
func (c *boundConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
