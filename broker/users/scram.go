package users

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// scramExchange is the server's side of RFC 5802, two messages each way:
//
//	client  n,,n=USER,r=NONCE                        the part behind n,, is the bare first message
//	server  r=NONCE+OURS,s=SALT,i=ITERATIONS
//	client  c=biws,r=NONCE+OURS,p=PROOF              the part before ,p= is the final message without proof
//	server  v=SIGNATURE
//
// It is written out here and not taken from a library because some librdkafka (2.0.2 is one) send their own nonce twice in
// the final message. Kafka asks only that the nonce ends with the server's, so every librdkafka works with it.
type scramExchange struct {
	users     *Users
	mechanism Mechanism
	static    map[string]Credential
	name      string
	unknown   bool // nobody has that name: the exchange goes on to its end and fails there

	credential    Credential
	header        string // gs2 header of the first message, which the final one repeats
	first         string // bare first message
	nonce, ours   string // the client's, and what was added to it
	challenge     string // the server's first message
	begun, failed bool
}

var errUnreadable = errors.New("the SCRAM message cannot be read")

// User is the name that the client gave.
func (s *scramExchange) User() string { return s.name }

// Step takes one message. It waits for nothing: the client derives.
func (s *scramExchange) Step(_ context.Context, message []byte) (answer []byte, done bool, err error) {
	switch {
	case s.failed || len(message) > longestMessage || !utf8.Valid(message):
		err = errUnreadable
	case !s.begun:
		s.begun = true
		answer, err = s.greet(string(message))
	default:
		answer, err = s.prove(string(message))
		done = err == nil
	}
	if s.failed = err != nil || done; err != nil {
		return nil, false, err
	}
	return answer, done, nil
}

// greet takes the first message and answers with the salt.
func (s *scramExchange) greet(message string) ([]byte, error) {
	parts := strings.SplitN(message, ",", 3)
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "y" { // p= asks for channel binding, which Kafka has not
		return nil, errUnreadable
	}
	s.header, s.first = parts[0]+","+parts[1]+",", parts[2]
	fields := strings.Split(s.first, ",")
	if len(fields) < 2 {
		return nil, errUnreadable
	}
	name, named := attribute(fields[0], "n")
	nonce, given := attribute(fields[1], "r")
	name, readable := decodeName(name)
	if s.name = name; !named || !given || !readable || name == "" || !isNonce(nonce) {
		return nil, errUnreadable
	}
	if parts[1] != "" {
		id, asked := attribute(parts[1], "a")
		if id, readable = decodeName(id); !asked || !readable {
			return nil, errUnreadable
		} else if id != "" && id != name {
			return nil, otherIdentity
		}
	}
	for _, extension := range fields[2:] {
		if extension == "tokenauth=true" {
			return nil, errors.New("there are no delegation tokens here")
		}
	}
	s.find()
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails
	s.nonce, s.ours = nonce, base64.RawURLEncoding.EncodeToString(random)
	s.challenge = fmt.Sprintf("r=%s%s,s=%s,i=%d", s.nonce, s.ours, base64.StdEncoding.EncodeToString(s.credential.Salt), s.credential.Iterations)
	return []byte(s.challenge), nil
}

// find is what the client must prove to know.
func (s *scramExchange) find() {
	c, ok := s.static[s.name]
	if !ok {
		c, ok = s.users.Credential(s.name, s.mechanism)
	}
	if !ok {
		s.unknown = true
		c = s.users.madeUp(s.name, s.mechanism)
	}
	s.credential = c
}

// prove takes the final message and answers with the proof that this side knows the credential too.
func (s *scramExchange) prove(message string) ([]byte, error) {
	without, proof, ok := cutLast(message, ",p=")
	fields := strings.Split(without, ",")
	if !ok || len(fields) < 2 {
		return nil, errUnreadable
	}
	binding, bound := attribute(fields[0], "c")
	nonce, given := attribute(fields[1], "r")
	header, err := base64.StdEncoding.DecodeString(binding)
	sent, proofErr := base64.StdEncoding.DecodeString(proof)
	h := s.mechanism.hash()
	if !bound || !given || err != nil || proofErr != nil || len(sent) != h().Size() {
		return nil, errUnreadable
	}
	whole := s.nonce + s.ours
	right := string(header) == s.header && (nonce == whole || nonce == s.nonce+whole)
	text := s.first + "," + s.challenge + "," + without
	key := sign(h, s.credential.StoredKey, text)
	for i := range key {
		key[i] ^= sent[i]
	}
	stored := h()
	stored.Write(key)
	if fits := hmac.Equal(stored.Sum(nil), s.credential.StoredKey); !fits || !right || s.unknown {
		return nil, fmt.Errorf("%w (%s)", ErrDenied, s.mechanism)
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(sign(h, s.credential.ServerKey, text))), nil
}

// attribute is the value of a field like r=abc.
func attribute(field, name string) (value string, ok bool) {
	return strings.CutPrefix(field, name+"=")
}

// cutLast cuts at the last place where sep stands.
func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// isNonce says whether a nonce is printable, as it must be.
func isNonce(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == ',' {
			return false
		}
	}
	return s != ""
}

// decodeName takes back what stands for a comma and an equals sign in a name.
func decodeName(s string) (string, bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "=")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), true
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", false
		}
		s = after[2:]
	}
}
