package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/testca"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings is Kafka's names with values.
type settings map[string]string

func (s settings) get(name string) string { return s[name] }

// served is the common name of the certificate that a new connection gets.
func served(t *testing.T, s *Server) string {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go tls.Server(server, s.TLS()).Handshake() // ends with the pipe
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestKeysAndCertificatesAsKafkaNamesThem(t *testing.T) {
	ca := testca.New(t)
	cert, key := ca.Issue(pkix.Name{CommonName: "inline"})
	fold := func(pem []byte) string { return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", " ") }
	for want, set := range map[string]settings{
		"store":  {"ssl.keystore.type": "PEM", "ssl.keystore.location": ca.Store("store")},
		"inline": {"ssl.keystore.type": "PEM", "ssl.keystore.key": string(key), "ssl.keystore.certificate.chain": fold(cert)},
	} {
		s, err := Open(Config{Setting: set.get})
		if err != nil {
			t.Fatal(err)
		}
		if got := served(t, s); got != want {
			t.Errorf("served is %s, want %s", got, want)
		}
	}
	certFile, keyFile := ca.Files("flags")
	s, err := Open(Config{Setting: settings{"ssl.keystore.location": ca.Store("store")}.get, CertFile: certFile, KeyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	if got := served(t, s); got != "flags" {
		t.Errorf("served is %s, want flags", got)
	}
}

func TestWhatCannotBeUsedSaysTheMend(t *testing.T) {
	ca := testca.New(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	store := ca.Store("store")
	for want, set := range map[string]settings{
		"needs a certificate":              {},
		"no such file":                     {"ssl.keystore.location": filepath.Join(dir, "none.pem")},
		"keytool -importkeystore":          {"ssl.keystore.location": file("a.jks", "\xfe\xed\xfe\xed..."), "ssl.keystore.type": "JKS"},
		"openssl pkcs12 -in":               {"ssl.keystore.location": file("a.p12", "\x30\x82...")},
		"it is PEM":                        {"ssl.keystore.location": store, "ssl.keystore.type": "JKS"},
		"openssl pkcs8 -in":                {"ssl.keystore.location": file("enc.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n")},
		"ssl.truststore.location=FILE":     {"ssl.keystore.location": store, "ssl.client.auth": "required"},
		"no PEM certificate":               {"ssl.keystore.location": store, "ssl.truststore.certificates": "x"},
		`"TLSv9"`:                          {"ssl.keystore.location": store, "ssl.enabled.protocols": "TLSv1.2,TLSv9"},
		`"TLS_NO_SUCH_SUITE"`:              {"ssl.keystore.location": store, "ssl.cipher.suites": "TLS_NO_SUCH_SUITE"},
		"ssl.principal.mapping.rules":      {"ssl.keystore.location": store, "ssl.principal.mapping.rules": "RULE:("},
		"openssl pkcs12 -in " + dir + "/t": {"ssl.keystore.location": store, "ssl.truststore.location": file("t.p12", "\x30\x82..."), "ssl.truststore.password": "Geheim"},
	} {
		_, err := Open(Config{Setting: set.get})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "Geheim") {
			t.Errorf("%v: got %v, want %s", set, err, want)
		}
	}
}

func TestVersionsOfTLS(t *testing.T) {
	ca := testca.New(t)
	s, err := Open(Config{Setting: settings{"ssl.keystore.location": ca.Store("store"), "ssl.enabled.protocols": "TLSv1.3"}.get})
	if err != nil {
		t.Fatal(err)
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
		client, server := net.Pipe()
		go func() {
			tls.Server(server, s.TLS()).Handshake()
			io.Copy(io.Discard, server)
		}()
		err := tls.Client(client, &tls.Config{InsecureSkipVerify: true, MaxVersion: version}).HandshakeContext(t.Context())
		if (err == nil) != ok {
			t.Errorf("version %x: %v", version, err)
		}
		client.Close()
		server.Close()
	}
}

// waitFor waits until ok, or fails after ten seconds.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited ten seconds for %s", what)
		}
	}
}

func TestChangedFilesAreTakenOverAndBrokenOnesAreNot(t *testing.T) {
	ca := testca.New(t)
	certFile, keyFile := ca.Files("first")
	log := &syncBuffer{lines: make(chan string, 100)}
	s, err := Open(Config{Setting: settings{}.get, CertFile: certFile, KeyFile: keyFile, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	cert, key := ca.Issue(pkix.Name{CommonName: "second"})
	replace := func(path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(certFile, cert) // without its key it is of no use
	if line := <-log.lines; !strings.Contains(line, "those from before still count") || served(t, s) != "first" {
		t.Errorf("served is %s, and the log says %s", served(t, s), line)
	}
	replace(keyFile, key)
	waitFor(t, "the second certificate", func() bool { return served(t, s) == "second" })
	if line := <-log.lines; !strings.Contains(line, "read the certificates again") {
		t.Errorf("the log says %s", line)
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	if line := <-log.lines; !strings.Contains(line, keyFile) || served(t, s) != "second" {
		t.Errorf("with the key gone served is %s, and the log says %s", served(t, s), line)
	}
}

// syncBuffer passes log lines on.
type syncBuffer struct{ lines chan string }

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.lines <- string(bytes.Clone(p))
	return len(p), nil
}
