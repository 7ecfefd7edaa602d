package broker

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	handshakeTime = 10 * time.Second // of TLS
	loginTime     = 30 * time.Second // from the first byte to the end of the login, TLS included
)

// limit cuts the connection off if its client does not show who it is in time, however busy it looks, and keeps its
// requests small until then. gone ends what it waits for here, the returned function takes the limit off.
func (c *connection) limit(gone func()) func() {
	sasl := c.session.Login()
	if sasl == nil {
		return func() {}
	}
	c.in.Limit(min(sasl.MaxRequest, c.server.maxFrame))
	cut := time.AfterFunc(loginTime, func() {
		c.late.Store(true)
		_ = c.raw.Close()
		gone()
	})
	c.login = func() {
		if cut.Stop() {
			c.in.Limit(c.server.maxFrame)
		}
	}
	return func() { cut.Stop() }
}

// passed looks at how far the client has come after each request.
func (c *connection) passed() {
	if c.login != nil && c.session.Open() {
		c.login()
		c.login = nil
	}
	c.in.Bare(c.session.Bare())
}

// greet shakes hands where the listener speaks TLS, and takes the client's name from its certificate.
func (c *connection) greet(ctx context.Context) error {
	if c.tls == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if err := c.tls.HandshakeContext(ctx); err != nil {
		if ctx.Err() == context.DeadlineExceeded {
			return &slowHandshakeError{}
		}
		return fmt.Errorf("shaking hands: %w", err)
	}
	state := c.tls.ConnectionState()
	user, err := c.door.certs.User(state)
	if err != nil {
		return err
	}
	host := ""
	if c.door.host == "" { // a certificate is seldom made out to an address: the name that the client dialled
		host = strings.ToLower(state.ServerName)
	}
	c.session.Identify(user, host)
	return nil
}

// slowHandshakeError says that a client took too long.
type slowHandshakeError struct{}

// Error says how long is too long.
func (*slowHandshakeError) Error() string {
	return fmt.Sprintf("shaking hands took more than %v", handshakeTime)
}
