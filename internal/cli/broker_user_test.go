package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/testca"
)

func TestUsersAreManagedBesideTheBroker(t *testing.T) {
	data, password := t.TempDir(), filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(password, []byte("wonder land\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loghaul(t, "broker", "user", "list", "--data", data).want(t, exitDone, "no users yet")
	loghaul(t, "broker", "user", "add", "alice", "--data", data, "--password-file", password, "--mechanism", "scram-sha-512").want(t, exitDone, "alice may log in")
	loghaulWith(t, "builder", "broker", "user", "add", "bob", "--data", data).want(t, exitDone)
	var list struct {
		Users []struct {
			Name       string
			Mechanisms []string
		}
	}
	o := loghaul(t, "broker", "user", "list", "--data", data, "-o", "json").want(t, exitDone)
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list.Users) != 2 || strings.Join(list.Users[0].Mechanisms, ",") != "SCRAM-SHA-512=8192" || len(list.Users[1].Mechanisms) != 2 {
		t.Errorf("listed is %s, %v", o.stdout, err)
	}
	loghaulWith(t, "new one", "broker", "user", "add", "bob", "--data", data, "--mechanism", "scram-sha-256").want(t, exitDone)
	if o := loghaul(t, "broker", "user", "list", "--data", data).want(t, exitDone); strings.Count(o.stdout, "SCRAM-SHA-512") != 1 {
		t.Errorf("bob's old password is good for SCRAM-SHA-512 still:\n%s", o.stdout)
	}
	loghaul(t, "broker", "user", "rm", "alice", "--data", data).want(t, exitDone, "no more")
	loghaul(t, "broker", "user", "rm", "alice", "--data", data).want(t, exitFailed, "alice", "loghaul broker user list")
	if o := loghaul(t, "broker", "user", "list", "--data", data, "-o", "name").want(t, exitDone); o.stdout != "bob\n" {
		t.Errorf("listed is %q", o.stdout)
	}
	loghaulWith(t, "\n", "broker", "user", "add", "carol", "--data", data).want(t, exitFailed, "first line is empty")
	loghaulWith(t, "x", "broker", "user", "add", "carol", "--data", data, "--mechanism", "gssapi").want(t, exitFailed, `"gssapi"`)
	loghaulWith(t, strings.Repeat("x", longestPassword+1), "broker", "user", "add", "carol", "--data", data).want(t, exitFailed, "more than")
	loghaul(t, "broker", "user", "add", "carol").want(t, exitUsage, "--data is required")
	loghaul(t, "broker", "user", "list", "--data", filepath.Join(data, "typo")).want(t, exitFailed, "typo", "no such folder")
	loghaul(t, "broker", "user").want(t, exitUsage, "loghaul broker user: say what to do: add, rm, list")
}

// TestThePartsLogInOverTLS runs broker, agent, produce and consume with certificates and a password.
func TestThePartsLogInOverTLS(t *testing.T) {
	ca, dir := testca.New(t), t.TempDir()
	folder := func(name string) string { return filepath.Join(dir, name) }
	cert, key := ca.Files("broker")
	broker := begin(t, nil, "broker", "--data", folder("broker"), "--listen", "SASL_SSL://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--admin", "none",
		"--set", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "--set", "super.users=User:loghaul")
	at := broker.ready()["broker"]
	loghaulWith(t, "Tr0ub4dor", "broker", "user", "add", "loghaul", "--data", folder("broker")).want(t, exitDone) // while it runs
	loghaulWith(t, "other", "broker", "user", "add", "eve", "--data", folder("broker")).want(t, exitDone)
	if err := os.WriteFile(folder("pw"), []byte("Tr0ub4dor"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		login := []string{"--brokers", at, "--kafka-ca", ca.File, "--kafka-sasl", mechanism, "--kafka-user", "loghaul", "--kafka-password-file", folder("pw")}
		loghaulWith(t, "hello\n", append([]string{"produce", mechanism}, login...)...).want(t, exitDone)
		if o := loghaul(t, append([]string{"consume", mechanism, "--follow=false"}, login...)...).want(t, exitDone); o.stdout != "hello\n" {
			t.Errorf("%s: consumed is %q", mechanism, o.stdout)
		}
		inputs, logs := folder("inputs-"+mechanism), folder("logs-"+mechanism)
		for _, d := range []string{inputs, logs} {
			if err := os.Mkdir(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		want := appendLines(t, filepath.Join(logs, "a.log"), 0, 100)
		input, _ := json.Marshal(map[string]any{"paths": []string{filepath.Join(logs, "*.log")}, "topic": "log-" + mechanism})
		if err := os.WriteFile(filepath.Join(inputs, "a.json"), input, 0o644); err != nil {
			t.Fatal(err)
		}
		loghaul(t, append([]string{"agent", "--data", folder("agent-" + mechanism), "--inputs", inputs, "--etcd", "none", "--allow-root", logs, "--once", "--admin", "none"}, login...)...).want(t, exitDone)
		o := loghaul(t, append([]string{"consume", "log-" + mechanism, "--follow=false"}, login...)...).want(t, exitDone)
		if n := strings.Count(o.stdout, "\n"); n != len(want) {
			t.Errorf("%s: the agent sent %d lines, want %d", mechanism, n, len(want))
		}
	}
	if err := os.WriteFile(folder("pw"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := []string{"consume", "plain", "--follow=false", "--brokers", at, "--kafka-ca", ca.File, "--kafka-sasl", "scram-sha-256", "--kafka-user", "loghaul", "--kafka-password-file", folder("pw")}
	loghaul(t, wrong...).want(t, exitFailed, "loghaul")
	broker.end()
	if said := broker.stderr.String(); strings.Contains(said, "Tr0ub4dor") || strings.Contains(said, "wrong\n") || !strings.Contains(said, "login of user") {
		t.Errorf("the broker said %s", said)
	}
}

func TestTheReadyLineListsEveryListener(t *testing.T) {
	one := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none").ready()["broker"]
	if !strings.HasPrefix(one, "127.0.0.1:") || strings.HasSuffix(one, ":0") {
		t.Errorf("one listener is told as %q", one)
	}
	two := strings.Split(begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "IN://127.0.0.1:0", "--listen", "OUT://127.0.0.1:0", "--admin", "none").ready()["broker"], ",")
	if len(two) != 2 || !strings.HasPrefix(two[0], "IN://127.0.0.1:") || !strings.HasPrefix(two[1], "OUT://127.0.0.1:") || strings.HasSuffix(two[1], ":0") {
		t.Errorf("two listeners are told as %q", two)
	}
}
