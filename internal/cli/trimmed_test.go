package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestWhatIsTrimmedIsNotLostAndItsRoomIsTold(t *testing.T) {
	data := t.TempDir()
	b := begin(t, nil, "broker", "--data", data, "--listen", "127.0.0.1:0", "--admin", "none", "--etcd", "none")
	at := b.ready()["broker"]
	loghaulWith(t, numbered(5000), "produce", "web_log", "--brokers", at).want(t, exitDone)
	loghaul(t, "consume", "web_log", "--group", "readers", "-n", "100", "--brokers", at).want(t, exitDone)
	type status struct {
		Disk struct {
			Folder string
			Used   int64
		}
		Groups []struct {
			Lost int64 `json:"lost_records"`
		}
	}
	look := func() (s status) {
		t.Helper()
		o := loghaul(t, "status", "groups", "-o", "json", "--etcd", "none", "--brokers", at).want(t, exitDone)
		if err := json.Unmarshal([]byte(o.stdout), &s); err != nil || len(s.Groups) != 1 {
			t.Fatalf("printed %s: %v", o.stdout, err)
		}
		return s
	}
	before := look()
	if before.Disk.Folder != data || before.Disk.Used < 5000*5 {
		t.Errorf("the disk is %+v, want what 5000 lines take under %s", before.Disk, data)
	}
	o := loghaul(t, "topic", "trim", "web_log", "--before", "1000", "--yes", "--brokers", at).want(t, exitDone)
	if said := o.stdout + o.stderr; !strings.Contains(said, "freed on the disk: 0 bytes; segments go whole") {
		t.Errorf("a trim within a segment said %q", said)
	}
	if s := look(); s.Groups[0].Lost != 0 {
		t.Errorf("what was trimmed on purpose is shown as %d lost", s.Groups[0].Lost)
	}
	o = loghaul(t, "topic", "trim", "web_log", "--before", "end", "--yes", "--brokers", at).want(t, exitDone)
	if said := o.stdout + o.stderr; !strings.Contains(said, "freed on the disk: ") || strings.Contains(said, " 0 bytes") {
		t.Errorf("a trim of everything said %q", said)
	}
	if o := loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDone); !strings.Contains(o.stderr, "topics take ") || !strings.Contains(o.stderr, "under "+data) {
		t.Errorf("status said %q, want how the disk stands", o.stderr)
	}
	b.end()
}
