package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// damagedBroker serves 4 lines in t, a segment each; before it starts for the second time, its folder is changed.
func damagedBroker(t *testing.T, change func(data string, segments []string)) (b *running, at string) {
	t.Helper()
	data := t.TempDir()
	args := []string{"broker", "--data", data, "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "t:1", "--set", "log.segment.bytes=1024"}
	b = begin(t, nil, args...)
	at = b.ready()["broker"]
	for range 4 {
		loghaulWith(t, strings.Repeat("x", 900)+"\n", "produce", "t", "--brokers", at).want(t, exitDone)
	}
	loghaul(t, "consume", "t", "--group", "readers", "-n", "4", "--brokers", at).want(t, exitDone)
	b.end()
	segments, err := filepath.Glob(filepath.Join(data, "t-0", "*.log"))
	if err != nil || len(segments) < 4 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	change(data, segments)
	b = begin(t, nil, args...)
	return b, b.ready()["broker"]
}

func spoil(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConsumeNamesADamagedBatchAndTheWayPastIt(t *testing.T) {
	_, at := damagedBroker(t, func(_ string, segments []string) { spoil(t, segments[1], 200) })
	o := loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitFailed, "the batch of t/0 with the offsets 1 to 1", "wrong checksum",
		"--from 2", "loghaul topic trim t --partition 0 --before 2")
	if n := strings.Count(o.stdout, "\n"); n != 1 {
		t.Errorf("%d lines came before it, want 1", n)
	}
	o = loghaul(t, "consume", "t", "--follow=false", "--from", "2", "--brokers", at).want(t, exitDone)
	if n := strings.Count(o.stdout, "\n"); n != 2 {
		t.Errorf("%d lines came behind it, want 2", n)
	}
}

func TestConsumeEndsAtLostRecordsAndStatusNamesThem(t *testing.T) {
	_, at := damagedBroker(t, func(_ string, segments []string) {
		if err := os.Remove(segments[1]); err != nil {
			t.Fatal(err)
		}
	})
	// It follows, and ends all the same: what is lost does not come back while it waits.
	o := loghaul(t, "consume", "t", "--brokers", at).want(t, exitFailed, "offset 1 of t/0 cannot be read", "damaged or lost", "--from OFFSET", "loghaul topic trim t --partition 0")
	if n := strings.Count(o.stdout, "\n"); n != 1 {
		t.Errorf("%d lines came before it, want 1", n)
	}
	loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDegraded, "offsets 1 to 1 of t-0 are lost", "loghaul topic trim t --partition 0 --before 2 --yes")
	loghaul(t, "topic", "trim", "t", "--partition", "0", "--before", "2", "--yes", "--brokers", at).want(t, exitDone)
	if o = loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDone); strings.Contains(o.stderr, "lost") {
		t.Errorf("after the trim it still says %s", o.stderr)
	}
	if o = loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitDone); strings.Count(o.stdout, "\n") != 2 {
		t.Errorf("after the trim it shows %q", o.stdout)
	}
}

func TestAGroupWhoseTopicIsGoneOrEndsBeforeItsCommitIsMarked(t *testing.T) {
	b, at := damagedBroker(t, func(data string, _ []string) {
		if err := os.Rename(filepath.Join(data, "t-0"), filepath.Join(t.TempDir(), "t-0")); err != nil {
			t.Fatal(err)
		}
	})
	_ = b // the option --create-topics makes it anew: as if a producer had
	o := loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDone, "group readers has committed offset 4 in t/0, which ends at 0", "loghaul group reset readers --topic t --partition 0 --to latest")
	if !strings.Contains(o.stdout, "beyond end") {
		t.Errorf("printed %s", o.stdout)
	}
	loghaul(t, "group", "describe", "readers", "--brokers", at).want(t, exitDone, "which ends at 0")
	if s := groupsAt(t, at, exitDone)["readers"]; len(s.Partitions) != 1 || !s.Partitions[0].Beyond {
		t.Errorf("%+v", s)
	}
	loghaulWith(t, "new\n", "produce", "t", "--brokers", at).want(t, exitDone)
	o = loghaul(t, "consume", "t", "--group", "readers", "--follow=false", "--brokers", at).want(t, exitDone, "had read t/0 up to offset 4", "ends at 1")
	if o.stdout != "new\n" {
		t.Errorf("it shows %q", o.stdout)
	}
}

func TestConsumeSaysWhatIsLostFromTheBeginning(t *testing.T) {
	_, at := damagedBroker(t, func(_ string, segments []string) {
		for _, path := range segments[:2] {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	})
	quiet := func(args ...string) {
		loghaul(t, append([]string{"consume", "t", "--follow=false", "--brokers", at}, args...)...).want(t, exitDone)
	}
	lost := func(way string, args ...string) {
		t.Helper()
		o := loghaul(t, append([]string{"consume", "t", "--follow=false", "--brokers", at}, args...)...).want(t, exitFailed,
			"offsets 0 to 1 of t/0 cannot be read", "are lost", way, "loghaul topic trim t --partition 0 --before 2")
		if o.stdout != "" {
			t.Errorf("%v shows %q", args, o.stdout)
		}
	}
	lost("--from 2")
	lost("--from 2", "--from", "1")
	lost("--from 2", "--from", "-3")
	lost("--from 2", "--from", "2020-01-01")
	lost("loghaul group reset new --topic t --partition 0 --to 2 --yes", "--group", "new")
	lost("loghaul group reset new --topic t --partition 0 --to 2 --yes", "--group", "new") // nothing has moved it
	quiet("--from", "2")
	quiet("--from", "-2")
	quiet("--from", "end")
	quiet("--group", "readers") // had read all
	quiet("--group", "late", "--from", "end")

	if s := groupsAt(t, at, exitDegraded)["new"]; s.Lost != 2 {
		t.Errorf("of the group that has read nothing it says %+v", s)
	}
	loghaul(t, "topic", "trim", "t", "--partition", "0", "--before", "2", "--yes", "--brokers", at).want(t, exitDone)
	for _, args := range [][]string{nil, {"--group", "new"}} {
		o := loghaul(t, append([]string{"consume", "t", "--follow=false", "--brokers", at}, args...)...).want(t, exitDone)
		if n := strings.Count(o.stdout, "\n"); n != 2 || strings.Contains(o.stderr, "lost") {
			t.Errorf("after the trim %v shows %d lines and says %q", args, n, o.stderr)
		}
	}
	groupsAt(t, at, exitDone)
}

func TestStatusCountsWhatAGroupCannotReadInTheMiddleAndAtTheEnd(t *testing.T) {
	_, at := damagedBroker(t, func(_ string, segments []string) {
		for _, path := range []string{segments[1], segments[3]} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	})
	loghaul(t, "group", "reset", "readers", "--topic", "t", "--to", "0", "--yes", "--brokers", at).want(t, exitDone)
	if s := groupsAt(t, at, exitDegraded)["readers"]; s.Lost != 2 {
		t.Errorf("of a group that has read nothing it says %+v", s)
	}
	loghaul(t, "group", "reset", "readers", "--topic", "t", "--to", "2", "--yes", "--brokers", at).want(t, exitDone)
	if s := groupsAt(t, at, exitDegraded)["readers"]; s.Lost != 1 {
		t.Errorf("of a group behind the first hole it says %+v", s)
	}
}

func TestABatchThatAReaderFindsDamagedIsNamedByTheBroker(t *testing.T) {
	_, at := damagedBroker(t, func(data string, segments []string) {
		spoil(t, segments[1], 200)
		scrubbed := fmt.Sprintf(`{"version":1,"began":%q,"done":true}`, time.Now().Format(time.RFC3339)) // it looks again in a week
		if err := os.WriteFile(filepath.Join(data, "scrub-progress.json"), []byte(scrubbed), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at).want(t, exitDone) // nobody has met it
	loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitFailed, "the batch of t/0 with the offsets 1 to 1")
	var o outcome
	soon(t, "the broker names the damage", func() bool {
		o = loghaul(t, "status", "groups", "--etcd", "none", "--brokers", at)
		return strings.Contains(o.stderr, "offsets 1 to 1 of t-0 cannot be trusted")
	})
	o.want(t, exitDegraded)
	loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitFailed, "offset 1 of t/0 cannot be read")
}
