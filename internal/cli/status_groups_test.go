package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestStatusOfGroupsSaysHowFarEachHasCome(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDone, "no group has been seen")
	loghaulWith(t, numbered(10), "produce", "t", "--brokers", at).want(t, exitDone)
	loghaul(t, "consume", "t", "--group", "readers", "-n", "4", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "status", "groups", "-o", "json", "--etcd", "none", "--brokers", at).want(t, exitDone)
	var r struct {
		Groups []struct {
			Group      string
			LagRecords int64 `json:"lag_records"`
			Partitions []struct {
				Topic             string
				Committed, Latest int64
			}
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || len(r.Groups) != 1 || len(r.Groups[0].Partitions) != 1 {
		t.Fatalf("printed %s: %v", o.stdout, err)
	}
	if g := r.Groups[0]; g.Group != "readers" || g.LagRecords != 6 || g.Partitions[0].Topic != "t" || g.Partitions[0].Committed != 4 || g.Partitions[0].Latest != 10 {
		t.Errorf("printed %+v, want 4 of 10 committed", g)
	}
	if o = loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDone); !strings.Contains(o.stdout, "readers") {
		t.Errorf("printed %q, want the group's row", o.stdout)
	}
	loghaul(t, "status", "groups", "--etcd", "none", "--brokers", "127.0.0.1:1").want(t, exitFailed, "name it with --brokers")
}

func TestAReaderOfAListThatGoesAwayIsNoError(t *testing.T) {
	for _, form := range []string{"table", "json", "yaml", "name"} {
		var talk safeBuffer
		code := Run(t.Context(), []string{"version", "-o", form}, Streams{Stdout: closedPipe{}, Stderr: &talk})
		if code != exitDone || talk.String() != "" {
			t.Errorf("-o %s: exit code %d, said %q, want a quiet end", form, code, talk.String())
		}
	}
}
