package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/testca"
	"github.com/spf13/cobra"
)

func TestWhatKeepsAClientOutHasItsOwnMend(t *testing.T) {
	ca, data, dir := testca.New(t), t.TempDir(), t.TempDir()
	cert, key := ca.Files("broker")
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right, wrong, noPEM := file("right", "wonder land"), file("wrong", "x"), file("no.pem", "x")
	loghaul(t, "broker", "user", "add", "alice", "--data", data, "--password-file", right).want(t, exitDone)
	b := begin(t, nil, "broker", "--data", data, "--admin", "none", "--tls-cert", cert, "--tls-key", key, "--set", "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
		"--set", "listener.name.mutual.ssl.client.auth=required", "--set", "ssl.truststore.location="+ca.File,
		"--set", "listener.security.protocol.map=OPEN:PLAINTEXT,CLOSED:SSL,LOGIN:SASL_PLAINTEXT,BOTH:SASL_SSL,MUTUAL:SSL",
		"--listen", "OPEN://127.0.0.1:0,CLOSED://127.0.0.1:0,LOGIN://127.0.0.1:0,BOTH://127.0.0.1:0,MUTUAL://127.0.0.1:0")
	at := map[string]string{}
	for l := range strings.SplitSeq(b.ready()["broker"], ",") {
		name, addr, _ := strings.Cut(l, "://")
		at[name] = addr
	}
	login := []string{"--kafka-sasl", "scram-sha-256", "--kafka-user", "alice", "--kafka-password-file"}
	for _, c := range []struct {
		to   string
		args []string
		code int
		says string
	}{
		{"LOGIN", append(login, right), exitDone, ""},
		{"BOTH", append(login, right, "--kafka-ca", ca.File), exitDone, ""},
		{"LOGIN", append(login, wrong), exitFailed, "check --kafka-user and --kafka-password-file"},
		{"LOGIN", []string{"--kafka-sasl", "scram-sha-512", "--kafka-user", "alice", "--kafka-password-file", right}, exitFailed, "choose one of them with --kafka-sasl"},
		{"LOGIN", nil, exitFailed, "perhaps it asks for TLS (--kafka-ca) or a login (--kafka-sasl)"},
		{"CLOSED", nil, exitFailed, "perhaps it asks for TLS (--kafka-ca)"},
		{"BOTH", append(login, right), exitFailed, "perhaps it asks for TLS (--kafka-ca)"},
		{"BOTH", []string{"--kafka-ca", ca.File}, exitFailed, "perhaps it asks for a login (--kafka-sasl)"},
		{"OPEN", append(login, right), exitFailed, "this listener asks for no login: leave --kafka-sasl out"},
		{"OPEN", []string{"--kafka-ca", ca.File}, exitFailed, "leave --kafka-ca out"},
		{"CLOSED", []string{"--kafka-ca", testca.New(t).File}, exitFailed, "--kafka-ca must name the certificates"},
		{"MUTUAL", []string{"--kafka-ca", ca.File}, exitFailed, "--kafka-cert and --kafka-key"},
		{"", nil, exitFailed, "is a broker running there? name it with --brokers"},
		{"", []string{"--kafka-ca", noPEM}, exitUsage, noPEM + ": no PEM certificate"},
		{"", []string{"--kafka-ca", "/nowhere.pem"}, exitUsage, "/nowhere.pem"},
		{"", append(login, "/nowhere.pw"), exitUsage, "/nowhere.pw"},
		{"", []string{"--kafka-sasl", "kerberos", "--kafka-user", "a", "--kafka-password-file", right}, exitUsage, `--kafka-sasl ("kerberos") must be plain`},
		{"", []string{"--kafka-user", "alice"}, exitUsage, "need --kafka-sasl"},
		{"", []string{"--kafka-sasl", "plain"}, exitUsage, "--kafka-sasl needs --kafka-user and --kafka-password-file"},
	} {
		addr := at[c.to]
		if addr == "" {
			addr = "127.0.0.1:1"
		}
		for _, command := range [][]string{{"topic", "list"}, {"topic", "create", "t" + strings.ToLower(c.to)}, {"produce", "t"}, {"status", "groups", "--etcd", "none"}} {
			o := loghaul(t, append(append(command, "--brokers", addr), c.args...)...)
			lines := map[int]int{exitFailed: 1, exitUsage: 2}[c.code]
			if o.code != c.code || !strings.Contains(o.stderr, c.says) || c.code != exitDone && strings.Count(o.stderr, "\n") != lines {
				t.Errorf("%v at %s with %q: exit code %d, want %d and %q in one line: %s", command, c.to, c.args, o.code, c.code, c.says, o.stderr)
			}
			if n := strings.Count(o.stderr, "--brokers"); c.says != "" && n > 1 {
				t.Errorf("--brokers is said %d times: %s", n, o.stderr)
			}
		}
	}
	b.until(&b.stderr, "a client wants to log in on a listener that asks for no login")
}

func TestABrokenConnectionIsNoReaderThatHasSeenEnough(t *testing.T) {
	var talk safeBuffer
	g := &globals{stderr: &talk, running: true}
	lost := &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}
	if code := g.report(&cobra.Command{}, fmt.Errorf("writing to the broker: %w", lost)); code != exitFailed || !strings.Contains(talk.String(), "writing to the broker") {
		t.Errorf("exit code %d, saying %q", code, talk.String())
	}
	if code := g.report(&cobra.Command{}, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}); code != exitDone {
		t.Errorf("a closed output is exit code %d", code)
	}
}

func TestARefusedRightNamesTopicAndOperation(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	password := filepath.Join(dir, "pw")
	if err := os.WriteFile(password, []byte("wonder land"), 0o600); err != nil {
		t.Fatal(err)
	}
	loghaul(t, "broker", "user", "add", "alice", "--data", data, "--password-file", password).want(t, exitDone)
	b := begin(t, nil, "broker", "--data", data, "--admin", "none", "--listen", "SASL_PLAINTEXT://127.0.0.1:0", "--create-topics", "secret:1",
		"--set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer")
	_, addr, found := strings.Cut(b.ready()["broker"], "://")
	if !found {
		addr = b.ready()["broker"]
	}
	in := []string{"--brokers", addr, "--kafka-sasl", "plain", "--kafka-user", "alice", "--kafka-password-file", password}
	for want, command := range map[string][]string{
		"operation Create on topic t":        {"topic", "create", "t"},
		"operation Describe on topic secret": {"topic", "describe", "secret"},
	} {
		loghaul(t, append(command, in...)...).want(t, exitFailed, want)
	}
	loghaulWith(t, "x\n", append([]string{"produce", "secret"}, in...)...).want(t, exitFailed, "operation", "on topic secret")
}
