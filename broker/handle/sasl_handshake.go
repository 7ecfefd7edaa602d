package handle

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/loghaul/loghaul/broker/users"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leastReauth is the time between two logins of one connection.
const leastReauth = time.Second

// SaslHandshake (key 17, v0-v1): a client names the mechanism it will log in with.
//
// Behaviour:
//   - A mechanism that the listener does not take answers UNSUPPORTED_SASL_MECHANISM with those that it
//     takes, and the connection is closed.
//   - On a listener without SASL, and on a connection that has logged in: ILLEGAL_SASL_STATE. Where logins expire it
//     begins another one (KIP-368), but not within a second.
//
// Versions: after v0 the mechanism's tokens follow as they are, each behind its length; after v1 they
// come in SaslAuthenticate requests (KIP-152).
func (h *Handlers) saslHandshake(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.SASLHandshakeRequest)
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	s := r.session
	if s.sasl == nil || s.stage == stageDone && (s.expires.IsZero() || time.Since(s.started) < leastReauth) {
		if s.sasl == nil && !s.told && h.login.now(loginPace) { // once a connection
			s.told = true
			h.log.Warn("a client wants to log in on a listener that asks for no login and was refused: leave the login out in the client, or give it the address of "+
				"a listener with SASL", "listener", r.Listener, r.Who())
		}
		resp.ErrorCode = errIllegalSASLState
		return resp, nil
	}
	for _, m := range s.sasl.Mechanisms {
		resp.SupportedMechanisms = append(resp.SupportedMechanisms, string(m))
	}
	m := users.Mechanism(req.Mechanism)
	if !slices.Contains(s.sasl.Mechanisms, m) {
		resp.ErrorCode = errUnsupportedSASLMechanism
		err := fmt.Errorf("the client asks to log in with %q, which listener %s does not take", shortened(req.Mechanism), r.Listener)
		return resp, &FarewellError{Err: err, until: time.Now().Add(s.sasl.Delay)}
	}
	s.beginLogin(m, req.Version == 0)
	return resp, nil
}

// shortened keeps what a client called something from filling the log.
func shortened(name string) string {
	if len(name) > 64 {
		return name[:64] + "..."
	}
	return name
}
