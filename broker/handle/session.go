package handle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/users"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Anonymous is the principal of a client that has shown nothing, with Kafka's name for it.
const Anonymous = "User:ANONYMOUS"

// SASL is how the clients of one listener log in.
type SASL struct {
	Users      *users.Users                                    // who there is
	Static     map[users.Mechanism]map[string]users.Credential // and who the settings name
	Mechanisms []users.Mechanism                               // that the listener takes
	Lifetime   map[users.Mechanism]time.Duration               // after so long a client must log in again (KIP-368); 0: never
	Delay      time.Duration                                   // a failed login is answered after so long at the soonest
	MaxRequest int                                             // largest request before the login, in bytes
}

// HasStatic says whether the settings name any user.
func (s *SASL) HasStatic() bool {
	for _, named := range s.Static {
		if len(named) > 0 {
			return true
		}
	}
	return false
}

// Session is what one connection has shown of itself so far. It belongs to the goroutine that reads the connection.
type Session struct {
	peer Peer
	sasl *SASL // nil: the listener asks for no login
	told bool  // that it asks for none has been said
	login
}

// login is how far a client has come with logging in.
type login struct {
	stage     stage
	mechanism users.Mechanism
	exchange  users.Exchange
	started   time.Time // the login that goes on, or the last one
	expires   time.Time // zero: never
	again     bool      // it was logged in before, on this connection
	before    standing  // as which, when again
}

// standing is what a client may not change when it logs in again.
type standing struct {
	mechanism users.Mechanism
	principal string
}

// stage is what a connection that must log in may send next.
type stage int8

const (
	stageHandshake stage = iota // ApiVersions, or SaslHandshake with the mechanism
	stageTokens                 // SaslAuthenticate
	stageRaw                    // the mechanism's tokens without a Kafka header, as after SaslHandshake v0
	stageDone                   // everything
)

// NewSession begins a connection. With sasl nothing but logging in is served at first.
func NewSession(peer Peer, sasl *SASL) *Session {
	if peer.Principal == "" {
		peer.Principal = Anonymous
	}
	peer.mute = new(mute)
	s := &Session{peer: peer, sasl: sasl}
	if sasl == nil {
		s.stage = stageDone
	}
	return s
}

// Peer is who is at the other end, as far as it is known now.
func (s *Session) Peer() Peer { return s.peer }

// Login says what the listener asks of clients, nil for nothing.
func (s *Session) Login() *SASL { return s.sasl }

// Identify says who the client has shown to be by other means than a login, and by which name it called this broker; an
// empty name says nothing.
func (s *Session) Identify(user, host string) {
	if user != "" {
		s.peer.Principal = "User:" + user
	}
	if host != "" {
		s.peer.Host = host
	}
}

// Bare says that the next frame is a token without a header.
func (s *Session) Bare() bool { return s.stage == stageRaw }

// Open says whether the client may send whatever it wants: it has logged in, or need not.
func (s *Session) Open() bool { return s.stage == stageDone || s.again }

// FarewellError says that the connection must be closed once the reply that comes with it is sent.
type FarewellError struct {
	Err   error
	until time.Time // the reply is not sent before
}

// Error is the reason.
func (e *FarewellError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *FarewellError) Unwrap() error { return e.Err }

// delayed is a reply that is held back until a time, so that guessing takes time and the time tells nothing.
type delayed struct {
	bytesReply
	until time.Time
}

// Ready says no: its time has to come first.
func (d delayed) Ready() ([]byte, bool) { return nil, false }

// Send waits, then writes; nothing is written for an empty reply.
func (d delayed) Send(ctx context.Context, out *wire.Out) error {
	timer := time.NewTimer(time.Until(d.until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if len(d.bytesReply) == 0 {
		return nil
	}
	return out.Write(d.bytesReply)
}

var errSessionExpired = errors.New("the login of this connection has expired (connections.max.reauth.ms), and the client did not log in again")

// admit says whether a request may be served now; Kafka closes the connection on any other.
func (s *Session) admit(key int16) error {
	switch s.stage {
	case stageDone:
		if key != keySASLHandshake && !s.expires.IsZero() && time.Now().After(s.expires) {
			return errSessionExpired
		}
		return nil
	case stageHandshake:
		if key == keyAPIVersions || key == keySASLHandshake {
			return nil
		}
	case stageTokens:
		if key == keySASLAuthenticate {
			return nil
		}
	}
	return fmt.Errorf("%s came before the login on listener %s was complete", kmsg.NameForKey(key), s.peer.Listener)
}
