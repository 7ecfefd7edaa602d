package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// groupsAt is what status groups says, as a program reads it.
// exitAny stands for done or degraded: where a broker has been told of damage and is still looking at it.
const exitAny = -1

func groupsAt(t *testing.T, at string, code int) map[string]groupStatus {
	t.Helper()
	o := loghaul(t, "status", "groups", "-o", "json", "--etcd", "none", "--brokers", at)
	if code != exitAny {
		o.want(t, code)
	}
	var r struct{ Groups []groupStatus }
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("printed %s: %v", o.stdout, err)
	}
	found := map[string]groupStatus{}
	for _, s := range r.Groups {
		found[s.Group] = s
	}
	return found
}

// soon tries until ok, for as long as patience says.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waiting for %s: not so in %s", what, patience)
		}
	}
}

func TestWhatAGroupLostToRetentionIsShown(t *testing.T) {
	broker := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:1",
		"--set", "log.segment.bytes=1024", "--set", "log.retention.check.interval.ms=20")
	at := broker.ready()["broker"]
	for range 4 { // batches, so that there are segments
		loghaulWith(t, strings.Repeat(strings.Repeat("x", 300)+"\n", 3), "produce", "t", "--brokers", at).want(t, exitDone)
	}
	loghaul(t, "consume", "t", "--group", "readers", "-n", "2", "--brokers", at).want(t, exitDone)
	if s := groupsAt(t, at, exitDone)["readers"]; s.LagRecords != 10 || s.Lost != 0 || s.Blocks {
		t.Fatalf("before anything is deleted: %+v", s)
	}
	loghaul(t, "topic", "alter", "t", "retention.bytes=1", "--brokers", at).want(t, exitDone)
	var s groupStatus
	soon(t, "the loss", func() bool {
		s = groupsAt(t, at, exitDone)["readers"]
		return s.Lost > 0 && len(s.Partitions) == 1 && s.Partitions[0].Lost == s.Lost
	})
	lost := s.Lost
	loghaul(t, "consume", "t", "--group", "readers", "--follow=false", "--brokers", at).want(t, exitDone)
	if s = groupsAt(t, at, exitDone)["readers"]; s.Lost != lost || s.LagRecords != 0 { // it went on, and the loss is not forgotten
		t.Errorf("after reading on: %+v, want no lag, and %d lost", s, lost)
	}
	o := loghaul(t, "group", "list", "--brokers", at).want(t, exitDone)
	if fields := strings.Fields(o.stdout); len(fields) != 12 || fields[6] != "readers" || fields[9] != "0" || fields[10] != number(lost) || fields[11] != "-" {
		t.Errorf("group list printed %q", o.stdout)
	}
	broker.end()
}

func TestAGroupIsDescribedWithItsMembers(t *testing.T) {
	broker := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:2")
	at := broker.ready()["broker"]
	loghaulWith(t, numbered(10), "produce", "t", "--partition", "1", "--brokers", at).want(t, exitDone)
	newer := context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true) //nolint:staticcheck // its own key
	for name, opt := range map[string]kgo.Opt{"classic": kgo.WithContext(context.Background()), "newer": kgo.WithContext(newer)} {
		cl, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.ConsumerGroup(name), kgo.ConsumeTopics("t"), kgo.ClientID("app of "+name), opt,
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if records := cl.PollFetches(ctx).NumRecords(); records != 10 {
			t.Fatalf("%s read %d records, want 10", name, records)
		}
		if err := cl.CommitUncommittedOffsets(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		var d groupDetail
		o := loghaul(t, "group", "describe", name, "-o", "json", "--brokers", at).want(t, exitDone)
		if err := json.Unmarshal([]byte(o.stdout), &d); err != nil {
			t.Fatalf("printed %s: %v", o.stdout, err)
		}
		if d.Group != name || d.State != "Stable" || len(d.Members) != 1 || d.Members[0].Client != "app of "+name || d.Members[0].Host != "127.0.0.1" || d.Members[0].text() != "t 0,1" {
			t.Errorf("%s: described as %s", name, o.stdout)
		}
		if n := len(d.Partitions); n == 0 || d.Partitions[n-1] != (groupPartition{Topic: "t", Partition: 1, Committed: 10, Latest: 10}) {
			t.Errorf("%s: described as %s", name, o.stdout)
		}
		if s := groupsAt(t, at, exitDone)[name]; s.State != "Stable" || s.Members != 1 {
			t.Errorf("%s: status says %+v", name, s)
		}
		if o = loghaul(t, "group", "describe", name, "--brokers", at).want(t, exitDone); !strings.Contains(o.stdout, "app of "+name) || !strings.Contains(o.stdout, "READS") {
			t.Errorf("%s: printed %q", name, o.stdout)
		}
		reset := []string{"group", "reset", name, "--topic", "t", "--partition", "1", "--to", "4", "--yes", "--brokers", at}
		loghaul(t, reset...).want(t, exitFailed, "group "+name+" has 1 member: stop them first")
		cl.Close()
		loghaul(t, reset...).want(t, exitDone, "from 10 back to 4: 6 records again")
		if s := standsAt(t, at, name, 1); s != 4 {
			t.Errorf("%s: moved to 4 it stands at %d", name, s)
		}
	}
	loghaul(t, "group", "describe", "nobody", "--brokers", at).want(t, exitFailed, "group nobody does not exist", "loghaul group list")
	loghaul(t, "group", "describe", "--brokers", at).want(t, exitUsage)
	loghaul(t, "group", "--brokers", at).want(t, exitUsage, "list, describe", "delete")
	broker.end()
}

func TestAGroupThatKeepsWritersWaitingIsNamed(t *testing.T) {
	broker := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--create-topics", "t:1",
		"--disk-budget", "4MiB", "--etcd", "none", "--set", "log.segment.bytes=262144")
	where := broker.ready()
	at := where["broker"]
	loghaulWith(t, numbered(3), "produce", "t", "--brokers", at).want(t, exitDone)
	loghaul(t, "consume", "t", "--group", "slow", "-n", "2", "--brokers", at).want(t, exitDone)
	cl, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.DefaultProduceTopic("t"), kgo.DisableIdempotentWrite(), kgo.RecordRetries(1), kgo.MetadataMinAge(10*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	taken := 0
	for size := 100_000; size > 10; size /= 10 { // until not even a small record fits
		for err = nil; err == nil; taken += size {
			if taken > 5<<20 {
				t.Fatal("5 MiB were taken with a budget of 4")
			}
			err = cl.ProduceSync(t.Context(), kgo.SliceRecord([]byte(strings.Repeat("x", size)))).FirstErr()
		}
	}
	if s := groupsAt(t, at, exitDegraded)["slow"]; !s.Blocks || !s.Partitions[0].Blocks {
		t.Errorf("status says %+v, want that it blocks", s)
	}
	o := loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDegraded, "writers wait: ", "slow")
	if !strings.Contains(o.stdout, "writers") {
		t.Errorf("printed %q", o.stdout)
	}
	loghaul(t, "group", "list", "--brokers", at).want(t, exitDone, "writers wait: ")
	loghaulWith(t, numbered(1), "produce", "t", "--brokers", at).want(t, exitFailed, "writers wait: ", "group slow has still to commit")
	if code, body := getURL(t, where["admin"]+"/readyz"); code != 200 || !strings.HasPrefix(body, "ok\nwriters wait: ") {
		t.Errorf("GET /readyz = %d %q, want 200 and who is waited for", code, body)
	}
	never := reader(t, at, "never")
	soon(t, "the one that has committed nothing", func() bool {
		s := groupsAt(t, at, exitDegraded)["never"]
		return s.Blocks && len(s.Partitions) == 1 && s.Partitions[0].Committed == -1 && s.LagRecords > 0 && s.LagRecords == s.Partitions[0].Latest
	})
	loghaul(t, "group", "delete", "never", "--yes", "--brokers", at).want(t, exitFailed, "has 1 member", "stop them first")
	never()
	o = loghaul(t, "group", "delete", "slow", "--brokers", at).want(t, exitDone)
	if !strings.Contains(o.stdout, "would delete group slow with its commits in 1 partition; ") {
		t.Errorf("printed %q", o.stdout)
	}
	if s := groupsAt(t, at, exitDegraded)["slow"]; s.Group != "slow" {
		t.Errorf("the plan acted: %+v", s)
	}
	loghaul(t, "group", "delete", "slow", "--yes", "--brokers", at).want(t, exitDone, "deleted group slow")
	loghaul(t, "group", "delete", "slow", "--yes", "--brokers", at).want(t, exitFailed, "group slow does not exist")
	loghaul(t, "topic", "trim", "t", "--before", "end", "--yes", "--brokers", at).want(t, exitDone)
	soon(t, "room for writers", func() bool {
		return loghaulWith(t, numbered(1), "produce", "t", "--brokers", at).code == exitDone
	})
	broker.end()
}

// reader is a member of a group that reads topic t and commits nothing, until it is told to leave.
func reader(t *testing.T, at, group string) (leave func()) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(at, ",")...), kgo.ConsumerGroup(group), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl.Close
}

// getURL fetches a page of the admin listener.
func getURL(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}
