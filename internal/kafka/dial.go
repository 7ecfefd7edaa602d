package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Dial connects to the broker at addr: TCP, then TLS and SASL where c asks for
// them. The connection's reader runs until Close.
func (c Config) Dial(ctx context.Context, addr string) (*Conn, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	if c.SASL != "" {
		if _, err := c.password(); err != nil { // before anything goes out
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.DialTimeout)
	defer cancel()
	nc, err := c.dialNet(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to the broker at %s: %w", addr, err)
	}
	conn := newConn(nc, c.ClientID, c.RequestTimeout)
	if c.SASL != "" {
		if err := c.authenticate(ctx, conn); err != nil {
			conn.Close()
			return nil, fmt.Errorf("authenticating user %s at the broker %s: %w", c.User, addr, err)
		}
	}
	return conn, nil
}

func (c Config) dialNet(ctx context.Context, addr string) (net.Conn, error) {
	t, err := c.tls()
	if err != nil {
		return nil, err
	}
	if t == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	t.ServerName, _, _ = net.SplitHostPort(addr) // it was dialled
	tc := tls.Client(nc, t)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, &HandshakeError{err}
	}
	return tc, nil
}

// HandshakeError says that somebody was there and TLS did not come about.
type HandshakeError struct{ Err error }

// Error is the reason.
func (e *HandshakeError) Error() string { return "TLS handshake: " + e.Err.Error() }

// Unwrap is the reason.
func (e *HandshakeError) Unwrap() error { return e.Err }

// authenticate speaks SaslHandshake v1 and SaslAuthenticate (KIP-152).
func (c Config) authenticate(ctx context.Context, conn *Conn) error {
	password, err := c.password()
	if err != nil {
		return err
	}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Version, hello.Mechanism = 1, strings.ToUpper(c.SASL)
	resp, err := conn.Call(ctx, hello)
	if err != nil {
		return err
	}
	r := resp.(*kmsg.SASLHandshakeResponse)
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil && len(r.SupportedMechanisms) > 0 {
		return fmt.Errorf("the broker offers %s: %w", strings.Join(r.SupportedMechanisms, ", "), err)
	} else if err != nil {
		return err
	}
	hash, ok := scramHash(c.SASL)
	if !ok {
		_, err := saslStep(ctx, conn, []byte("\x00"+c.User+"\x00"+password))
		return err
	}
	s := &scramClient{hash: hash}
	if err := s.Begin(c.User, password, ""); err != nil {
		return err
	}
	for challenge := ""; !s.Done(); {
		answer, err := s.Step(challenge)
		if err != nil {
			return err
		}
		if s.Done() {
			return nil
		}
		next, err := saslStep(ctx, conn, []byte(answer))
		if err != nil {
			return err
		}
		challenge = string(next)
	}
	return nil
}

func saslStep(ctx context.Context, conn *Conn, b []byte) ([]byte, error) {
	req := kmsg.NewPtrSASLAuthenticateRequest()
	req.Version, req.SASLAuthBytes = 1, b
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.SASLAuthenticateResponse)
	if r.ErrorCode != 0 {
		if r.ErrorMessage != nil && *r.ErrorMessage != "" {
			return nil, fmt.Errorf("%w: %s", kerr.ErrorForCode(r.ErrorCode), *r.ErrorMessage)
		}
		return nil, kerr.ErrorForCode(r.ErrorCode)
	}
	return r.SASLAuthBytes, nil
}
