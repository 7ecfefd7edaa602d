// Package kafka says how a client reaches a broker: addresses, TLS, SASL, protocol
// versions. It gives sarama its settings, and the two hot paths a connection that
// carries whole frames of their own bytes.
package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Config names a cluster and how to enter it. The zero value of a field is its
// default.
type Config struct {
	// Brokers are the addresses to start from, HOST:PORT. Default 127.0.0.1:9092.
	Brokers []string
	// ClientID names this client in the broker's log and quotas. Default "loghaul".
	ClientID string
	// CA is a PEM file of the authorities that sign the brokers' certificates, or
	// "system" for the host's own; set, it turns TLS on. Default: no TLS.
	CA string
	// Cert and Key are PEM files of the client's own certificate (mutual TLS).
	Cert, Key string
	// SASL is plain, scram-sha-256 or scram-sha-512. Default: none.
	SASL string
	// User and PasswordFile are the SASL credentials; the file holds the password
	// alone and is read at each connection.
	User, PasswordFile string
	// DialTimeout bounds connecting, TLS and SASL together. Default 10 s.
	DialTimeout time.Duration
	// RequestTimeout bounds the wait for one answer and one write. Default 60 s.
	RequestTimeout time.Duration
}

// DefaultBroker is where a client looks when nobody says otherwise.
const DefaultBroker = "127.0.0.1:9092"

// withDefaults is c with every empty field that has a default filled in.
func (c Config) withDefaults() Config {
	if len(c.Brokers) == 0 {
		c.Brokers = []string{DefaultBroker}
	}
	if c.ClientID == "" {
		c.ClientID = "loghaul"
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = 10 * time.Second
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = time.Minute
	}
	return c
}

// Validate lists every complaint about c; files are only opened when dialling.
func (c Config) Validate() error {
	if err := c.complaints(); err != nil {
		return &ConfigError{err}
	}
	return nil
}

func (c Config) complaints() error {
	var errs []error
	for _, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("--brokers (%q) must be HOST:PORT", b))
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		errs = append(errs, errors.New("--kafka-cert and --kafka-key must be given together"))
	}
	switch c.SASL {
	case "", "plain", "scram-sha-256", "scram-sha-512":
	default:
		errs = append(errs, fmt.Errorf("--kafka-sasl (%q) must be plain, scram-sha-256 or scram-sha-512", c.SASL))
	}
	if c.SASL != "" && (c.User == "" || c.PasswordFile == "") {
		errs = append(errs, errors.New("--kafka-sasl needs --kafka-user and --kafka-password-file"))
	}
	if c.SASL == "" && (c.User != "" || c.PasswordFile != "") {
		errs = append(errs, errors.New("--kafka-user and --kafka-password-file need --kafka-sasl: plain, scram-sha-256 or scram-sha-512"))
	}
	return errors.Join(errs...)
}

// ConfigError says that a Config cannot be used, whatever brokers there are.
type ConfigError struct{ Err error }

// Error names the option and the mend.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *ConfigError) Unwrap() error { return e.Err }

// Sarama is c as sarama's settings: protocol versions of Kafka 2.8, which every
// broker from there to 4.x serves; the caller sets what concerns its own use.
func (c Config) Sarama() (*sarama.Config, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	s := sarama.NewConfig()
	s.Version = sarama.V2_8_0_0
	s.ClientID = c.ClientID
	s.Net.DialTimeout = c.DialTimeout
	s.Net.ReadTimeout = c.RequestTimeout
	s.Net.WriteTimeout = c.RequestTimeout
	t, err := c.tls()
	if err != nil {
		return nil, err
	}
	if t != nil {
		s.Net.TLS.Enable, s.Net.TLS.Config = true, t
	}
	if c.SASL == "" {
		return s, nil
	}
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	s.Net.SASL.Enable, s.Net.SASL.User, s.Net.SASL.Password = true, c.User, password
	s.Net.SASL.Mechanism = sarama.SASLMechanism(strings.ToUpper(c.SASL))
	if hash, ok := scramHash(c.SASL); ok {
		s.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: hash} }
	}
	return s, nil
}

// tls reads the certificates; nil means a plain connection.
func (c Config) tls() (*tls.Config, error) {
	if c.CA == "" && c.Cert == "" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" && c.CA != "system" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, &ConfigError{fmt.Errorf("reading --kafka-ca: %w", err)}
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &ConfigError{fmt.Errorf("reading --kafka-ca %s: no PEM certificate in it", c.CA)}
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, &ConfigError{fmt.Errorf("reading --kafka-cert %s and --kafka-key %s: %w", c.Cert, c.Key, err)}
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func (c Config) password() (string, error) {
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", &ConfigError{fmt.Errorf("reading --kafka-password-file: %w", err)}
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
