package broker_test

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/testca"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	kscram "github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/xdg-go/scram"
)

// withUser makes a data folder in which alice may log in.
func withUser(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	u, err := broker.OpenUsers(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Add("alice", "wonder land"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// trusting is a client's TLS that believes the authority, with its own certificate if there is one.
func trusting(t *testing.T, ca *testca.CA, own ...string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	c.RootCAs.AppendCertsFromPEM(pem)
	if len(own) == 2 {
		pair, err := tls.LoadX509KeyPair(own[0], own[1])
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func mechanisms(user, password string) map[string]sasl.Mechanism {
	return map[string]sasl.Mechanism{
		"PLAIN":         plain.Auth{User: user, Pass: password}.AsMechanism(),
		"SCRAM-SHA-256": kscram.Auth{User: user, Pass: password}.AsSha256Mechanism(),
		"SCRAM-SHA-512": kscram.Auth{User: user, Pass: password}.AsSha512Mechanism(),
	}
}

func TestFranzLogsInWithEveryMechanismAndProtocol(t *testing.T) {
	ca := testca.New(t)
	for _, protocol := range []string{"SASL_PLAINTEXT", "SASL_SSL"} {
		r := start(t, broker.Config{Data: withUser(t), Listen: []string{protocol + "://127.0.0.1:0"}, Settings: map[string]string{"ssl.keystore.location": ca.Store("broker")}})
		for name, m := range mechanisms("alice", "wonder land") {
			t.Run(protocol+" "+name, func(t *testing.T) {
				opts := []kgo.Opt{kgo.SASL(m)}
				if protocol == "SASL_SSL" {
					opts = append(opts, kgo.DialTLSConfig(trusting(t, ca)))
				}
				topic := strings.ToLower(protocol + name)
				r.produce(r.client(opts...), topic, 0, 100)
				wantLines(t, r.consume(topic, 100, opts...), 100)
			})
		}
		for name, m := range mechanisms("alice", "Gehe1m") {
			cl := r.client(kgo.SASL(m), kgo.DialTLSConfig(map[string]*tls.Config{"SASL_SSL": trusting(t, ca)}[protocol]))
			if err := cl.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "SASL_AUTHENTICATION_FAILED") {
				t.Errorf("%s with a wrong password: %v", name, err)
			}
		}
		if log := r.log.String(); !strings.Contains(log, `login of user`) || strings.Contains(log, "Gehe1m") || strings.Contains(log, "wonder land") {
			t.Errorf("the log must tell of failed logins without passwords:\n%s", log)
		}
	}
}

// saramaSCRAM is the conversation that sarama asks the program for.
type saramaSCRAM struct {
	hash scram.HashGeneratorFcn
	*scram.ClientConversation
}

// Begin starts the conversation.
func (s *saramaSCRAM) Begin(user, password, authz string) error {
	c, err := s.hash.NewClient(user, password, authz)
	if err == nil {
		s.ClientConversation = c.NewConversation()
	}
	return err
}

// saramaLogin makes a tutorial's settings log in.
func saramaLogin(cfg *sarama.Config, mechanism, password string, handshake int16) {
	s := &cfg.Net.SASL
	s.Enable, s.User, s.Password, s.Mechanism, s.Version, s.Handshake = true, "alice", password, sarama.SASLMechanism(mechanism), handshake, true
	hashes := map[string]func() hash.Hash{"SCRAM-SHA-256": sha256.New, "SCRAM-SHA-512": sha512.New}
	s.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaSCRAM{hash: hashes[mechanism]} }
}

func TestSaramaLogsInWithBothHandshakes(t *testing.T) {
	ca := testca.New(t)
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_SSL://127.0.0.1:0"}, Settings: map[string]string{"ssl.keystore.location": ca.Store("broker")}})
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		for _, handshake := range []int16{0, 1} {
			t.Run(fmt.Sprintf("%s v%d", mechanism, handshake), func(t *testing.T) {
				cfg := saramaConfig(sarama.V2_8_0_0)
				cfg.Metadata.Retry.Max = 0
				cfg.ApiVersionsRequest = handshake > 0
				cfg.Net.TLS.Enable, cfg.Net.TLS.Config = true, trusting(t, ca)
				saramaLogin(cfg, mechanism, "wrong", handshake)
				if client, err := sarama.NewClient([]string{r.addr}, cfg); err == nil {
					client.Close()
					t.Error("a wrong password was taken")
				}
				saramaLogin(cfg, mechanism, "wonder land", handshake)
				p, err := sarama.NewSyncProducer([]string{r.addr}, cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				topic := fmt.Sprintf("%s-%d", mechanism, handshake)
				if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("line 0")}); err != nil {
					t.Fatal(err)
				}
				consumeWithSarama(t, r.addr, topic, 1, cfg)
			})
		}
	}
}

func TestNothingIsServedBeforeTheLogin(t *testing.T) {
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}})
	for _, req := range []kmsg.Request{kmsg.NewPtrMetadataRequest(), kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrProduceRequest(), kmsg.NewPtrAlterUserSCRAMCredentialsRequest()} {
		conn := r.dial()
		call[*kmsg.ApiVersionsResponse](t, conn, 0, kmsg.NewPtrApiVersionsRequest()) // this may be asked
		if err := refused(t, conn, req); err == nil {
			t.Errorf("%T was answered", req)
		}
	}
	eventually(t, "a line about it", func() bool { return r.log.count("before the login") > 0 })
}

func TestUnknownMechanismsAreAnsweredWithTheList(t *testing.T) {
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"sasl.enabled.mechanisms": "SCRAM-SHA-512,GSSAPI"}})
	conn := r.dial()
	req := kmsg.NewPtrSASLHandshakeRequest()
	req.Mechanism = "PLAIN"
	resp := call[*kmsg.SASLHandshakeResponse](t, conn, 1, req)
	if resp.ErrorCode != 33 || len(resp.SupportedMechanisms) != 1 || resp.SupportedMechanisms[0] != "SCRAM-SHA-512" {
		t.Errorf("got %+v", resp)
	}
	if err := refused(t, conn, kmsg.NewPtrMetadataRequest()); err == nil {
		t.Error("the connection is open still")
	}
	plain := start(t, broker.Config{}).dial()
	if resp := call[*kmsg.SASLHandshakeResponse](t, plain, 1, req); resp.ErrorCode != 34 {
		t.Errorf("a listener without SASL answers %d, want 34", resp.ErrorCode)
	}
	if resp := call[*kmsg.SASLAuthenticateResponse](t, plain, 2, kmsg.NewPtrSASLAuthenticateRequest()); resp.ErrorCode != 34 {
		t.Errorf("a listener without SASL answers %d, want 34", resp.ErrorCode)
	}
}

// logIn sends a PLAIN login over a connection.
func logIn(t *testing.T, conn *kafka.Conn, user, password string) *kmsg.SASLAuthenticateResponse {
	t.Helper()
	hand := kmsg.NewPtrSASLHandshakeRequest()
	hand.Mechanism = "PLAIN"
	if resp := call[*kmsg.SASLHandshakeResponse](t, conn, 1, hand); resp.ErrorCode != 0 {
		t.Fatalf("the handshake answers %d", resp.ErrorCode)
	}
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.SASLAuthBytes = []byte("\x00" + user + "\x00" + password)
	return call[*kmsg.SASLAuthenticateResponse](t, conn, 2, auth)
}

func TestAFailedLoginIsAnsweredLateAndTheSameForAll(t *testing.T) {
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"connection.failed.authentication.delay.ms": "150"}})
	var said []string
	for _, user := range []string{"alice", "nobody"} {
		conn, began := r.dial(), time.Now()
		resp := logIn(t, conn, user, "wrong")
		if took := time.Since(began); resp.ErrorCode != 58 || resp.ErrorMessage == nil || took < 150*time.Millisecond {
			t.Errorf("%s: %+v after %v", user, resp, took)
		}
		said = append(said, *resp.ErrorMessage)
		if err := refused(t, conn, kmsg.NewPtrMetadataRequest()); err == nil {
			t.Error("the connection is open still")
		}
	}
	if said[0] != said[1] || said[0] != "Authentication failed: Invalid username or password" {
		t.Errorf("the answers are %q", said)
	}
}

func TestLoginsExpireUnlessTheClientLogsInAgain(t *testing.T) {
	dir := withUser(t)
	u, err := broker.OpenUsers(dir)
	if err == nil {
		err = u.Add("bob", "builder")
	}
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: dir, Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"listener.name.sasl_plaintext.plain.connections.max.reauth.ms": "1500"}})
	conns := map[string]*kafka.Conn{}
	for _, name := range []string{"silent", "again", "other"} {
		conns[name] = r.dial()
		if resp := logIn(t, conns[name], "alice", "wonder land"); resp.ErrorCode != 0 || resp.SessionLifetimeMillis != 1500 {
			t.Fatalf("the login answers %+v", resp)
		}
		call[*kmsg.MetadataResponse](t, conns[name], 9, kmsg.NewPtrMetadataRequest())
	}
	hand := kmsg.NewPtrSASLHandshakeRequest()
	hand.Mechanism = "PLAIN"
	if resp := call[*kmsg.SASLHandshakeResponse](t, conns["again"], 1, hand); resp.ErrorCode != 34 {
		t.Errorf("a second login at once answers %d, want 34", resp.ErrorCode)
	}
	<-time.After(1600 * time.Millisecond) // the logins are over
	if resp := logIn(t, conns["again"], "alice", "wonder land"); resp.ErrorCode != 0 {
		t.Errorf("a second login answers %+v", resp)
	}
	call[*kmsg.MetadataResponse](t, conns["again"], 9, kmsg.NewPtrMetadataRequest())
	if resp := logIn(t, conns["other"], "bob", "builder"); resp.ErrorCode != 58 {
		t.Errorf("the connection of alice became bob's: %+v", resp)
	}
	if err := refused(t, conns["silent"], kmsg.NewPtrMetadataRequest()); err == nil {
		t.Error("an expired login is served")
	}
}

func TestUsersOfTheSettings(t *testing.T) {
	r := start(t, broker.Config{Listen: []string{"IN://127.0.0.1:0"}, Settings: map[string]string{
		"listener.security.protocol.map":                            "IN:SASL_PLAINTEXT",
		"listener.name.in.plain.sasl.jaas.config":                   `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="a" user_admin="a" user_carol="s3cr=t;";`,
		"listener.name.in.scram-sha-256.sasl.jaas.config":           `org.apache.kafka.common.security.scram.ScramLoginModule required user_carol="s3cr=t;";`,
		"listener.name.in.sasl.enabled.mechanisms":                  "PLAIN,SCRAM-SHA-256",
		"listener.name.other.scram-sha-512.sasl.jaas.config":        "nonsense",
		"listener.name.in.connections.max.reauth.ms":                "3600000",
		"listener.name.in.plain.connections.max.reauth.ms":          "0",
		"inter.broker.listener.name":                                "IN",
		"sasl.mechanism.inter.broker.protocol":                      "PLAIN",
		"listener.name.in.plain.sasl.server.callback.handler.class": "x",
		"confluent.metadata.server.credentials":                     "s3cr=t;",
	}})
	ms := mechanisms("carol", "s3cr=t;")
	for _, name := range []string{"PLAIN", "SCRAM-SHA-256"} {
		if err := r.client(kgo.SASL(ms[name])).Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(r.log.String(), "s3cr=t") {
		t.Errorf("the log has a password:\n%s", r.log)
	}
	shown, err := kadm.NewClient(r.client(kgo.SASL(ms["PLAIN"]))).DescribeBrokerConfigs(t.Context(), 1)
	if err != nil || len(shown) != 1 || len(shown[0].Configs) == 0 {
		t.Fatalf("shown is %+v, %v", shown, err)
	}
	secrets := 0
	for _, c := range shown[0].Configs {
		told := c.MaybeValue()
		for _, s := range c.Synonyms {
			if s.Value != nil {
				told += *s.Value
			}
		}
		if strings.Contains(told, "s3cr=t") {
			t.Errorf("%s shows a password: %s", c.Key, told)
		}
		if c.Sensitive && strings.Contains(c.Key, "listener.name.in.") {
			secrets++
		}
	}
	if secrets != 2 {
		t.Errorf("%d settings of the listener are marked as secret, want 2", secrets)
	}
}

func TestTooLargeAndBrokenRequestsBeforeTheLogin(t *testing.T) {
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: map[string]string{"sasl.server.max.receive.size": "2048"}})
	conn := r.raw()
	if _, err := conn.Write([]byte{0, 0, 0x10, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0}); err != nil { // a Produce request of 4 KiB
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a large request before the login: %v, want the connection closed", err)
	}
	for _, token := range []string{"", "x", "\x00\x00", strings.Repeat("\x00", 100), "\x00a\x00b\x00c", "\xff\xfe"} {
		if answer, err := bareToken(t, r.raw(), token); err == nil {
			t.Errorf("token %q was answered with %x", token, answer)
		}
	}
	if answer, err := bareToken(t, r.raw(), "\x00alice\x00wonder land"); err != nil || len(answer) != 0 {
		t.Errorf("the right token was answered with %x, %v", answer, err)
	}
}

// bareToken begins a login as clients before Kafka 1.0 do, and sends a token behind its length.
func bareToken(t *testing.T, conn net.Conn, token string) ([]byte, error) {
	t.Helper()
	frame := func(b string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	read := func() ([]byte, error) {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return nil, err
		}
		b := make([]byte, binary.BigEndian.Uint32(size[:]))
		_, err := io.ReadFull(conn, b)
		return b, err
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame("\x00\x11\x00\x00\x00\x00\x00\x01\xff\xff\x00\x05PLAIN")); err != nil {
		t.Fatal(err)
	}
	if b, err := read(); err != nil || len(b) < 6 || b[4] != 0 || b[5] != 0 {
		t.Fatalf("the handshake answers %x, %v", b, err)
	}
	if _, err := conn.Write(frame(token)); err != nil {
		t.Fatal(err)
	}
	answer, err := read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("token %q: the connection stays open without an answer", token)
	}
	return answer, err
}

// refused sends a request in its highest version and returns the error of a connection that was closed.
func refused(t *testing.T, conn *kafka.Conn, req kmsg.Request) error {
	t.Helper()
	req.SetVersion(min(req.MaxVersion(), 2))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := conn.Call(ctx, req)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%T: the connection stays open without an answer", req)
	}
	return err
}
