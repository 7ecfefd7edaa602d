package topics

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker/kraft"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// kafkaRuns leaves behind what a Kafka writes as long as it runs, whatever else it does.
func kafkaRuns(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, kraft.Folder, "00000000000000000000.log")
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	before, _ := os.ReadFile(path)
	if err == nil {
		b := record.NewBuilder(64)
		b.Append(0, nil, []byte{1, 20, 0, 0}, 0, nil) // a record that says that it lives
		var batch []byte
		if batch, err = b.Seal(nil, record.NoProducer, record.None, 1, 1); err == nil {
			record.Stamp(batch, record.Offset(len(before)/len(batch)), 1)
			err = os.WriteFile(path, append(before, batch...), 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// says opens the topics and returns what the log said.
func says(t *testing.T, dir string) (*Topics, *bytes.Buffer) {
	t.Helper()
	var lines bytes.Buffer
	topics, err := Open(Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = topics.Close() })
	return topics, &lines
}

// What another program compacted, made, extended and put aside in a folder of ours is taken in, and nothing is cut.
func TestWhatAKafkaDidMeanwhileIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 1, map[string]string{"retention.ms": "-1"})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := topics.Create("our.own", 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		put(t, made.Partition(0), "a")
	}
	put(t, ours.Partition(1), "b")
	if err := made.Partition(0).Log.DeleteBefore(1); err != nil {
		t.Fatal(err)
	}
	id := made.ID
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}

	kafkaRuns(t, dir)
	log := filepath.Join(dir, "web_log-0", "00000000000000000000.log")
	whole, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	batch := len(whole) / 6
	compacted := slices.Concat(whole[:2*batch], whole[4*batch:]) // offsets 2 and 3 are gone
	for _, err := range []error{
		os.WriteFile(log, compacted, 0o600),
		os.WriteFile(filepath.Join(dir, cleanFile), nil, 0o600),
		os.CopyFS(filepath.Join(dir, "web_log-1"), os.DirFS(filepath.Join(dir, "web_log-0"))),
		os.Remove(filepath.Join(dir, "web_log-1", manifestFile)),
		os.Rename(filepath.Join(dir, "our.own-0"), filepath.Join(dir, "our.own-0.0123456789abcdef0123456789abcdef-stray")),
		os.Rename(filepath.Join(dir, "our.own-1"), filepath.Join(dir, "our.own-1.fedcba9876543210fedcba9876543210-stray")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for again := range 2 {
		topics, lines := says(t, dir)
		web, own := topics.Get("web_log"), topics.Get("our.own")
		if web == nil || own == nil || web.ID != id || own.ID != ours.ID {
			t.Fatalf("the topics are %v and %v:\n%s", web, own, lines)
		}
		if l := web.Partition(0).Log; l.Start() != 1 || l.End() != 6 || int(l.Size()) != len(compacted) {
			t.Errorf("web_log-0 has offsets %d to %d in %d bytes, want 1 to 6 in %d", l.Start(), l.End(), l.Size(), len(compacted))
		}
		if n := len(web.Partitions()); n != 2 || web.Own()["retention.ms"] != "-1" {
			t.Errorf("web_log has %d partitions, want 2, and the settings %v", n, web.Own())
		}
		if l := own.Partition(1).Log; l.End() != 1 {
			t.Errorf("our.own-1 ends at %d, want 1", l.End())
		}
		if _, err := os.Stat(filepath.Join(dir, cleanFile)); !os.IsNotExist(err) {
			t.Errorf("the Kafka's word of a clean end is there still: %v", err)
		}
		if told := strings.Contains(lines.String(), "a Kafka ran in this data folder"); told != (again == 0) || strings.Contains(lines.String(), "recovered") {
			t.Errorf("start %d says\n%s", again, lines)
		}
		if err := topics.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Where the folder was never a Kafka's, or that one has not run since, nothing is looked at again.
func TestAKafkaThatDidNotRunIsNotSeen(t *testing.T) {
	dir := t.TempDir()
	seen := func(want bool) {
		t.Helper()
		if here, err := KafkaWasHere(disk.Real{}, dir); err != nil || here != want {
			t.Errorf("a Kafka was here: %t, %v, want %t", here, err, want)
		}
	}
	reopen := func() {
		t.Helper()
		topics := open(t, dir)
		if topics.Get("web_log") == nil {
			if _, err := topics.Create("web_log", 1, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := topics.Close(); err != nil {
			t.Fatal(err)
		}
	}
	seen(false)
	reopen()
	seen(false)
	if _, err := os.Stat(filepath.Join(dir, kafkaFile)); !os.IsNotExist(err) {
		t.Errorf("there is a file about a Kafka that never was: %v", err)
	}
	kafkaRuns(t, dir)
	seen(true)
	reopen()
	seen(false)
	if err := os.WriteFile(filepath.Join(dir, kafkaCheckpoints[0]), []byte("0\n0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	seen(true)
	reopen()
	seen(false)
	if err := os.RemoveAll(filepath.Join(dir, kraft.Folder)); err != nil { // somebody moved it away
		t.Fatal(err)
	}
	seen(false)
	reopen()
	seen(false)
}

// What a Kafka put aside is its own unless this broker made it.
func TestWhatAKafkaPutAsideOfItsOwnStays(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	if _, err := topics.Create("web_log", 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(dir, "theirs-0.0123456789abcdef0123456789abcdef-stray")
	if err := os.CopyFS(stray, os.DirFS(filepath.Join(dir, "web_log-0"))); err != nil { // another topic's manifest
		t.Fatal(err)
	}
	kafkaRuns(t, dir)
	again, lines := says(t, dir)
	if _, err := os.Stat(stray); err != nil || again.Get("theirs") != nil || !strings.Contains(lines.String(), "left alone") {
		t.Errorf("%v\n%s", err, lines)
	}
}
