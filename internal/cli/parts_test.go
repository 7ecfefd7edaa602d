package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestThePartsAlone runs broker, agent and transfer as commands of their own, with folders instead of etcd.
func TestThePartsAlone(t *testing.T) {
	dir := t.TempDir()
	folder := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"inputs", "sinks", "logs"} {
		if err := os.Mkdir(folder(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := appendLines(t, filepath.Join(folder("logs"), "a.log"), 0, 1000)
	write(filepath.Join(folder("inputs"), "a.json"), fmt.Sprintf(`{"paths":[%q],"topic":"web_log"}`, filepath.Join(folder("logs"), "*.log")))
	write(filepath.Join(folder("sinks"), "f.json"), `{"type":"file","topics":["web_log"],"path":"{topic}.log"}`)

	broker := begin(t, nil, "broker", "--data", folder("broker"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--create-topics", "web_log:2")
	where := broker.ready()
	agent := loghaul(t, "agent", "--data", folder("agent"), "--inputs", folder("inputs"), "--etcd", "none", "--brokers", where["broker"],
		"--allow-root", folder("logs"), "--once", "--admin", "none").want(t, exitDone, "ready:")
	if strings.Contains(agent.stderr, "admin=") {
		t.Errorf("the agent without an admin listener names one: %s", agent.stderr)
	}
	eventually(t, "in the topic", want, func() []string { return inTopic(t, where, "web_log") })

	transfer := begin(t, nil, "transfer", "--data", folder("transfer"), "--sinks", folder("sinks"), "--etcd", "none", "--brokers", where["broker"], "--admin", "127.0.0.1:0")
	at := transfer.ready()["admin"]
	eventually(t, "in the output", want, func() []string { return outLines(t, folder("transfer")) })
	r, err := http.Get(at + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode != 200 {
		t.Errorf("GET /readyz = %d %q, %v, want 200", r.StatusCode, b, err)
	}
	transfer.end()
	broker.end()
}

func TestAMissingFolderIsNamed(t *testing.T) {
	loghaul(t, "agent", "--data", t.TempDir(), "--inputs", "/nowhere", "--etcd", "none").want(t, exitFailed, "--inputs /nowhere: not a folder")
	loghaul(t, "transfer", "--data", t.TempDir(), "--sinks", "/nowhere", "--etcd", "none").want(t, exitFailed, "--sinks /nowhere: not a folder")
	loghaul(t, "broker", "--data", t.TempDir(), "--properties", "/nowhere.properties").want(t, exitUsage, "/nowhere.properties")
	loghaul(t, "broker", "--data", t.TempDir(), "--set", "num.partitons=3").want(t, exitFailed, "num.partitons")
}

func TestFollowingOutlastsABrokerRestart(t *testing.T) {
	data := t.TempDir()
	start := func(listen string) (*running, string) {
		b := begin(t, nil, "broker", "--data", data, "--listen", listen, "--admin", "none", "--create-topics", "t:1")
		return b, b.ready()["broker"]
	}
	broker, at := start("127.0.0.1:0")
	loghaulWith(t, "one\n", "produce", "t", "--brokers", at).want(t, exitDone)
	c := begin(t, nil, "consume", "t", "--brokers", at)
	c.until(&c.stdout, "one\n")
	broker.end()
	c.until(&c.stderr, "waiting for it to come back")
	broker, _ = start(at)
	loghaulWith(t, "two\n", "produce", "t", "--brokers", at).want(t, exitDone)
	if said := c.until(&c.stdout, "two\n"); said != "one\ntwo\n" {
		t.Errorf("consume printed %q, want each once", said)
	}
	c.end()
	broker.end()
}
