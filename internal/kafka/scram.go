package kafka

import (
	"fmt"

	"github.com/xdg-go/scram"
)

// scramHash is the hash that a SASL mechanism of that name uses (RFC 5802, 7677).
func scramHash(mechanism string) (scram.HashGeneratorFcn, bool) {
	switch mechanism {
	case "scram-sha-256":
		return scram.SHA256, true
	case "scram-sha-512":
		return scram.SHA512, true
	}
	return nil, false
}

// scramClient is one SCRAM conversation, in the form that sarama asks for.
type scramClient struct {
	hash scram.HashGeneratorFcn
	conv *scram.ClientConversation
}

// Begin starts the conversation.
func (s *scramClient) Begin(user, password, authzID string) error {
	client, err := s.hash.NewClient(user, password, authzID)
	if err != nil {
		return fmt.Errorf("preparing SCRAM credentials of user %s: %w", user, err)
	}
	s.conv = client.NewConversation()
	return nil
}

// Step answers the server's challenge; the first challenge is empty.
func (s *scramClient) Step(challenge string) (string, error) { return s.conv.Step(challenge) }

// Done says that the server has proved that it knows the password too.
func (s *scramClient) Done() bool { return s.conv.Done() }
