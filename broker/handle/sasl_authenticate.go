package handle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/users"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SaslAuthenticate (key 36, v0-v2): a token of the login that SaslHandshake v1 began, and the answer to it.
//
// Behaviour:
//   - A login that fails answers SASL_AUTHENTICATION_FAILED in Kafka's words, not before
//     connection.failed.authentication.delay.ms, and the connection is closed. The answer and its time are
//     the same for a wrong password and for a name that nobody has.
//   - Who logs in again on the same connection must be the same, with the same mechanism.
//   - When no login goes on: ILLEGAL_SASL_STATE.
//
// Versions: v1 answers for how long the login holds (KIP-368); v2 is flexible.
func (h *Handlers) saslAuthenticate(ctx context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.SASLAuthenticateRequest)
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	s := r.session
	if s.stage != stageTokens {
		resp.ErrorCode = errIllegalSASLState
		resp.ErrorMessage = kmsg.StringPtr("SaslAuthenticate request received after successful authentication")
		return resp, nil
	}
	began := time.Now()
	answer, err := s.token(ctx, req.SASLAuthBytes)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = errSASLAuthenticationFailed, kmsg.StringPtr(s.failure(err))
		resp.SASLAuthBytes = []byte{}
		return resp, &FarewellError{Err: err, until: began.Add(s.sasl.Delay)}
	}
	resp.SASLAuthBytes, resp.ErrorMessage = answer, kmsg.StringPtr("")
	if s.stage == stageDone {
		resp.SessionLifetimeMillis = s.sasl.Lifetime[s.mechanism].Milliseconds()
	}
	return resp, nil
}

// bareToken takes a token that came without a header, after SaslHandshake v0. A failed login is not answered, as there
// is no form for it.
func (s *Session) bareToken(ctx context.Context, token []byte) (Reply, error) {
	began := time.Now()
	answer, err := s.token(ctx, token)
	if err != nil {
		until := began.Add(s.sasl.Delay)
		return delayed{nil, until}, &FarewellError{Err: err, until: until}
	}
	return bytesReply(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)), nil
}

// beginLogin makes ready for tokens.
func (s *Session) beginLogin(m users.Mechanism, bare bool) {
	if s.stage == stageDone {
		s.again, s.before = true, standing{s.mechanism, s.peer.Principal}
	}
	s.stage, s.mechanism, s.started = stageTokens, m, time.Now()
	if bare {
		s.stage = stageRaw
	}
	s.exchange = s.sasl.Users.Begin(m, s.sasl.Static[m])
}

// token takes one step of the login. An error names the user, never the password.
func (s *Session) token(ctx context.Context, token []byte) ([]byte, error) {
	answer, done, err := s.exchange.Step(ctx, token)
	principal := "User:" + s.exchange.User()
	if err == nil && s.again && s.before.mechanism != s.mechanism {
		err = fmt.Errorf("the client logged in with %s before", s.before.mechanism)
	}
	if err == nil && done && s.again && s.before.principal != principal {
		err = fmt.Errorf("the client was %s before", s.before.principal)
	}
	if err != nil {
		return nil, fmt.Errorf("login of user %q with %s on listener %s: %w", shortened(s.exchange.User()), s.mechanism, s.peer.Listener, err)
	}
	if !done {
		return answer, nil
	}
	s.peer.Principal, s.stage, s.exchange, s.again = principal, stageDone, nil, false
	s.expires = time.Time{}
	if d := s.sasl.Lifetime[s.mechanism]; d > 0 {
		s.expires = time.Now().Add(d)
	}
	return answer, nil
}

// failure is what a client is told, in Kafka's words.
func (s *Session) failure(err error) string {
	if said, ok := errors.AsType[users.SaidError](err); ok && s.mechanism == users.Plain {
		return said.Error()
	}
	if s.mechanism == users.Plain {
		return "Authentication failed: Invalid username or password"
	}
	what := "authentication"
	if s.again {
		what = "re-authentication"
	}
	return "Authentication failed during " + what + " due to invalid credentials with SASL mechanism " + string(s.mechanism)
}
