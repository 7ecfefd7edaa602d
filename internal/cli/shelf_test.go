package cli

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf/embedded"
)

// etcdFor runs an embedded etcd for the test and gives its URL.
func etcdFor(t *testing.T) string {
	t.Helper()
	e, err := embedded.New(embedded.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("etcd ended with: %v", err)
		}
	})
	select {
	case <-e.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("etcd did not start: %v", err)
	}
	return e.URL()
}

// fileWith writes a file and gives its path.
func fileWith(t *testing.T, path, text string) string {
	t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(t.TempDir(), path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnInputIsPutShownListedAndRemoved(t *testing.T) {
	etcd := etcdFor(t)
	text := "{\"paths\": [\"/a.log\", \"/b.log\"],\n \"topic\": \"web_log\"}\n"
	loghaul(t, "input", "list", "--etcd", etcd).want(t, exitDone, "no inputs yet")
	loghaul(t, "input", "put", "nginx", "-f", fileWith(t, "n.json", text), "--etcd", etcd).want(t, exitDone, "stored input nginx at revision ")

	if o := loghaul(t, "input", "show", "nginx", "--etcd", etcd).want(t, exitDone); o.stdout != text {
		t.Errorf("show printed %q, want what was put: %q", o.stdout, text)
	}
	var shown struct {
		Name, Key string
		Revision  int64
		Value     struct{ Topic string }
	}
	o := loghaul(t, "input", "show", "nginx", "-o", "json", "--etcd", etcd).want(t, exitDone)
	if json.Unmarshal([]byte(o.stdout), &shown) != nil || shown.Key != "/loghaul/v1/inputs/nginx" || shown.Revision == 0 || shown.Value.Topic != "web_log" {
		t.Errorf("show -o json printed %s", o.stdout)
	}
	var list struct {
		Inputs []struct {
			Name, Topic string
			Paths       []string
			Revision    int64
		}
	}
	o = loghaul(t, "input", "list", "-o", "json", "--etcd", etcd).want(t, exitDone)
	if json.Unmarshal([]byte(o.stdout), &list) != nil || len(list.Inputs) != 1 || list.Inputs[0].Name != "nginx" || list.Inputs[0].Topic != "web_log" || len(list.Inputs[0].Paths) != 2 || list.Inputs[0].Revision != shown.Revision {
		t.Errorf("list -o json printed %s", o.stdout)
	}
	if o := loghaul(t, "input", "list", "-o", "name", "--etcd", etcd).want(t, exitDone); o.stdout != "nginx\n" {
		t.Errorf("list -o name printed %q", o.stdout)
	}
	if o := loghaul(t, "input", "list", "--etcd", etcd).want(t, exitDone); !strings.Contains(o.stdout, "/a.log +1") {
		t.Errorf("list printed %q", o.stdout)
	}
	loghaul(t, "input", "rm", "nginx", "--etcd", etcd).want(t, exitDone, "removed input nginx")
	loghaul(t, "input", "rm", "nginx", "--etcd", etcd).want(t, exitFailed, "input nginx", "loghaul input list")
	loghaul(t, "input", "show", "nginx", "--etcd", etcd).want(t, exitFailed, "input nginx")
}

func TestASinkIsPutFromStandardInput(t *testing.T) {
	etcd := etcdFor(t)
	o := loghaulWith(t, `{"type":"stdout","topics":["web_log"]}`, "sink", "put", "screen", "-f", "-", "-o", "json", "--etcd", etcd).want(t, exitDone)
	var put struct {
		Name     string
		Revision int64
	}
	if json.Unmarshal([]byte(o.stdout), &put) != nil || put.Name != "screen" || put.Revision == 0 {
		t.Errorf("put -o json printed %s", o.stdout)
	}
	if o := loghaul(t, "sink", "list", "--etcd", etcd).want(t, exitDone); !strings.Contains(o.stdout, "screen") || !strings.Contains(o.stdout, "stdout") {
		t.Errorf("list printed %s", o.stdout)
	}
}

func TestABadValueIsNotStored(t *testing.T) {
	etcd := etcdFor(t)
	bad := fileWith(t, "bad.json", "{\"paths\": [\"/a.log\"],\n \"topic\": \"web/log\",\n \"colour\": 1}")
	loghaul(t, "input", "put", "nginx", "-f", bad, "--etcd", etcd).want(t, exitFailed, "nothing stored", bad, "line 3: colour: unknown field")
	loghaulWith(t, `{"type":"file"}`, "sink", "put", "s", "-f", "-", "--etcd", etcd).want(t, exitFailed, "nothing stored", "topics: must name")
	loghaulWith(t, `{"type":"file","topics":["a"],"pathh":"x"}`, "sink", "put", "s", "-f", "-", "--etcd", etcd).want(t, exitFailed, "nothing stored", "pathh")
	loghaul(t, "input", "put", "Bad_Name", "-f", bad, "--etcd", etcd).want(t, exitFailed, "Bad_Name")
	loghaul(t, "input", "put", "nginx", "-f", bad+".missing", "--etcd", etcd).want(t, exitFailed, bad+".missing")
	loghaul(t, "input", "put", "nginx", "--etcd", etcd).want(t, exitUsage, "needs -f")
	loghaul(t, "input", "list", "--etcd", etcd).want(t, exitDone, "no inputs yet")
	loghaul(t, "sink", "list", "--etcd", etcd).want(t, exitDone, "no sinks yet")
}

func TestWithoutEtcdTheCommandsSayWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + l.Addr().String()
	l.Close()
	begin := time.Now()
	loghaul(t, "input", "list", "--etcd", gone).want(t, exitFailed, gone, "--etcd")
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to say so", took)
	}
	loghaul(t, "sink", "list", "--etcd", "none").want(t, exitUsage, "--etcd none")
}
