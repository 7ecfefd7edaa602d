package users

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"unicode/utf8"
)

// SaidError is what a client is told in just these words, which are Kafka's: it cannot learn anything about users from it.
type SaidError string

// Error is the words.
func (e SaidError) Error() string { return string(e) }

const otherIdentity SaidError = "Authentication failed: Client requested an authorization id that is different from username"

// ErrDenied says that name and password do not belong together, or that nobody has that name: a client must not learn
// which.
var ErrDenied = errors.New("invalid username or password")

// Exchange is one login on its way. It is for one goroutine.
type Exchange interface {
	// Step takes a message of the client and returns the answer to it. Done says that the client is who it says. It waits
	// for a processor no longer than ctx.
	Step(ctx context.Context, message []byte) (answer []byte, done bool, err error)
	// User is the name that the client gave, known after the first Step.
	User() string
}

// longestMessage bounds what a client sends and what is kept of it until its next message, in bytes: strangers stand still
// between two messages with as many connections as they like.
const longestMessage = 8 << 10

// Begin begins a login. Credentials in static come before those of the file.
func (u *Users) Begin(m Mechanism, static map[string]Credential) Exchange {
	if m == Plain {
		return &plain{users: u, static: static}
	}
	return &scramExchange{users: u, mechanism: m, static: static}
}

// madeUp is a credential for a name that nobody has: always the same for a name, as a real one would be.
func (u *Users) madeUp(name string, m Mechanism) Credential {
	u.mu.Lock()
	secret := u.mu.secret
	u.mu.Unlock()
	salt := sign(sha256.New, secret, string(m)+"\x00"+name)[:24]
	size := m.hash()().Size()
	return Credential{m, DefaultIterations, salt, make([]byte, size), make([]byte, size)}
}

// plain is RFC 4616: one message, [authorization id] NUL name NUL password.
type plain struct {
	users  *Users
	static map[string]Credential
	name   string
}

// User is the name that the client gave.
func (p *plain) User() string { return p.name }

// Step takes the only message.
func (p *plain) Step(ctx context.Context, message []byte) ([]byte, bool, error) {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 {
		return nil, false, SaidError(fmt.Sprintf("Invalid SASL/PLAIN response: expected 3 tokens, got %d", len(parts)))
	}
	if len(message) > longestMessage || !utf8.Valid(message) {
		return nil, false, ErrDenied
	}
	identity, password := string(parts[0]), string(parts[2])
	switch p.name = string(parts[1]); {
	case p.name == "":
		return nil, false, SaidError("Authentication failed: username not specified")
	case password == "":
		return nil, false, SaidError("Authentication failed: password not specified")
	}
	c, ok := p.find()
	select {
	case p.users.cpu <- struct{}{}: // given back below; nothing in between can block
	case <-ctx.Done(): // cut off while it stood in the queue: no work for who is gone
		return nil, false, ctx.Err()
	}
	fits := c.fits(password)
	<-p.users.cpu
	switch {
	case !ok || !fits:
		return nil, false, ErrDenied
	case identity != "" && identity != p.name:
		return nil, false, otherIdentity
	}
	return []byte{}, true, nil
}

// find is the credential to check against: a user's SHA-256 one before the SHA-512 one.
func (p *plain) find() (Credential, bool) {
	if c, ok := p.static[p.name]; ok {
		return c, true
	}
	for _, m := range []Mechanism{SHA256, SHA512} {
		if c, ok := p.users.Credential(p.name, m); ok {
			return c, true
		}
	}
	return p.users.madeUp(p.name, SHA256), false
}
