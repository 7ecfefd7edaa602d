package users

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// Mechanism is a way to log in, by its SASL name.
type Mechanism string

// The mechanisms there are.
const (
	Plain  Mechanism = "PLAIN" // the password itself travels; checked against a SCRAM credential
	SHA256 Mechanism = "SCRAM-SHA-256"
	SHA512 Mechanism = "SCRAM-SHA-512"
)

// Mechanisms are all that a listener may offer.
func Mechanisms() []Mechanism { return []Mechanism{Plain, SHA256, SHA512} }

// Iterations of the derivation: what is used unless somebody says otherwise, and Kafka's bounds.
const (
	DefaultIterations = 8192
	MinIterations     = 4096
	MaxIterations     = 16384
)

// Credential is what is kept of a password for a SCRAM mechanism (RFC 5802).
type Credential struct {
	Mechanism  Mechanism
	Iterations int
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

// longestSalt bounds what a client makes us keep, and tell whoever begins a login, in bytes.
const longestSalt = 1 << 10

// hash is the mechanism's, nil when it is no SCRAM mechanism.
func (m Mechanism) hash() func() hash.Hash {
	switch m {
	case SHA256:
		return sha256.New
	case SHA512:
		return sha512.New
	}
	return nil
}

// Derive makes a credential with a salt of its own.
func Derive(m Mechanism, password string, iterations int) (Credential, error) {
	salt := make([]byte, 24)
	_, _ = rand.Read(salt) // never fails
	salted, err := saltedPassword(m, password, salt, iterations)
	if err != nil {
		return Credential{}, err
	}
	return FromSalted(m, iterations, salt, salted)
}

// FromSalted makes a credential of what Kafka's tools send: the password is salted at the client.
func FromSalted(m Mechanism, iterations int, salt, salted []byte) (Credential, error) {
	h := m.hash()
	if h == nil {
		return Credential{}, fmt.Errorf("mechanism %q keeps no credentials", m)
	}
	clientKey := sign(h, salted, "Client Key")
	stored := h()
	stored.Write(clientKey)
	c := Credential{m, iterations, salt, stored.Sum(nil), sign(h, salted, "Server Key")}
	return c, c.check()
}

func sign(h func() hash.Hash, key []byte, text string) []byte {
	mac := hmac.New(h, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// saltedPassword is the slow step.
func saltedPassword(m Mechanism, password string, salt []byte, iterations int) ([]byte, error) {
	h := m.hash()
	if h == nil {
		return nil, fmt.Errorf("mechanism %q keeps no credentials", m)
	}
	salted, err := pbkdf2.Key(h, password, salt, iterations, h().Size())
	if err != nil {
		return nil, fmt.Errorf("deriving a credential: %w", err)
	}
	return salted, nil
}

// check says what is wrong with a credential.
func (c Credential) check() error {
	h := c.Mechanism.hash()
	switch {
	case h == nil:
		return fmt.Errorf("mechanism %q keeps no credentials", c.Mechanism)
	case c.Iterations < MinIterations || c.Iterations > MaxIterations:
		return fmt.Errorf("%d iterations, they must be %d to %d", c.Iterations, MinIterations, MaxIterations)
	case len(c.Salt) == 0 || len(c.Salt) > longestSalt || len(c.StoredKey) != h().Size() || len(c.ServerKey) != h().Size():
		return fmt.Errorf("the salt or the keys for %s have the wrong length", c.Mechanism)
	}
	return nil
}

// fits says whether a password is the one that c was made of. It takes as long for a wrong one.
func (c Credential) fits(password string) bool {
	salted, err := saltedPassword(c.Mechanism, password, c.Salt, c.Iterations)
	if err != nil {
		return false
	}
	again, err := FromSalted(c.Mechanism, c.Iterations, c.Salt, salted)
	return err == nil && hmac.Equal(again.StoredKey, c.StoredKey)
}
