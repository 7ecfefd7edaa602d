package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wayIn is the mend of an error that kept us from a broker.
func wayIn(cfg kafka.Config, err error) string {
	text := err.Error()
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, shaking := errors.AsType[*kafka.HandshakeError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "check --kafka-user and --kafka-password-file"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "choose one of them with --kafka-sasl"
	case errors.Is(err, kerr.IllegalSaslState):
		return "this listener asks for no login: leave --kafka-sasl out, or name another with --brokers"
	case errors.Is(err, kafka.ErrHTTP):
		return "name a Kafka listener's address with --brokers"
	case untrusted:
		return "--kafka-ca must name the certificates that sign the broker's, and --brokers a host that is in it"
	case noTLS || shaking && closed(err):
		return "this listener seems to speak no TLS: leave --kafka-ca out, or name another with --brokers"
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate") && cfg.Cert == "":
		return "the broker asks for a certificate: name one with --kafka-cert and --kafka-key"
	case strings.Contains(text, "remote error: tls:") && cfg.Cert != "":
		return "the broker does not take this certificate: name another with --kafka-cert and --kafka-key"
	case closed(err) || strings.Contains(text, "is this a Kafka broker?"):
		return closedFor(cfg)
	}
	return "is a broker running there? name it with --brokers"
}

// closed says whether somebody was there, and closed the connection in place of an answer.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// closedFor is what a broker may have missed that closed the connection.
func closedFor(cfg kafka.Config) string {
	var perhaps []string
	if cfg.CA == "" && cfg.Cert == "" {
		perhaps = append(perhaps, "TLS (--kafka-ca)")
	}
	if cfg.SASL == "" {
		perhaps = append(perhaps, "a login (--kafka-sasl)")
	}
	if cfg.CA != "" && cfg.Cert == "" {
		perhaps = append(perhaps, "a certificate (--kafka-cert and --kafka-key)")
	}
	if perhaps == nil {
		return "is this a Kafka broker? name it with --brokers"
	}
	return "perhaps it asks for " + strings.Join(perhaps, " or ")
}

// reach says why the brokers let nobody in, before sarama says it in many lines.
func (g *globals) reach(ctx context.Context, client string) error {
	cl := newCluster(g.kafkaConfig(client))
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest() // ApiVersions is answered before the login
	req.Version, req.Topics = 4, []kmsg.MetadataRequestTopic{}
	_, err := cl.ask(ctx, req)
	return err
}

// refused says whether a right is missing.
func refused(err error) bool {
	for _, right := range []error{kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed, sarama.ErrClusterAuthorizationFailed} {
		if errors.Is(err, right) {
			return true
		}
	}
	return false
}

// notAllowed names the right that is missing, in the words that give it; another error is what it was.
func notAllowed(err error, operation, kind, name string) error {
	if !refused(err) {
		return err
	}
	return fmt.Errorf("this user may not do that: it needs the operation %s on %s %s, as kafka-acls --add --operation %s --%s %s gives it: %w", operation, kind, name, operation, kind, name, err)
}
