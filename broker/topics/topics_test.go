package topics

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
	"github.com/loghaul/loghaul/internal/record"
)

// open opens a data folder until the test ends.
func open(t *testing.T, dir string) *Topics {
	t.Helper()
	topics, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := topics.Close(); err != nil {
			t.Error(err)
		}
	})
	return topics
}

// put appends one record to a partition.
func put(t *testing.T, p *Partition, value string) {
	t.Helper()
	b := record.NewBuilder(64)
	b.Append(0, nil, []byte(value), 0, nil)
	batch, err := b.Seal(nil, record.NoProducer, record.None, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Log.Append(batch); err != nil {
		t.Fatal(err)
	}
}

// folders lists what lies in a data folder.
func folders(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestTopicComesBackWithIDSettingsAndRecords(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	made, err := first.Create("web_log", 3, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"})
	if err != nil {
		t.Fatal(err)
	}
	put(t, made.Partition(2), "hello")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	found := open(t, dir).Get("web_log")
	if found == nil || found.ID != made.ID || len(found.Partitions()) != 3 || found.Own()["retention.ms"] != "1000" {
		t.Fatalf("found %+v, want what was made: %+v", found, made)
	}
	if end := found.Partition(2).Log.End(); end != 1 {
		t.Errorf("partition 2 ends at %d, want 1", end)
	}
	if age := found.Effective().Log.RetentionAge; age >= 0 {
		t.Errorf("a compacted topic is deleted from by age %s", age)
	}
	if found.Partition(3) != nil || found.Partition(-1) != nil {
		t.Error("found partitions that are not there")
	}
}

func TestRefusals(t *testing.T) {
	topics := open(t, t.TempDir())
	topics.cfg.MaxPartitions = 10
	if _, err := topics.Create("a.b", 4, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		partitions int
		own        map[string]string
		want       error
		says       string
	}{
		{"a.b", 1, nil, ErrExists, "a.b"},
		{"a_b", 1, nil, ErrInvalidName, "'a_b' collides with existing topic: a.b"},
		{"web/log", 1, nil, ErrInvalidName, "'web/log'"},
		{"..", 1, nil, ErrInvalidName, "'..'"},
		{"", 1, nil, ErrInvalidName, "empty"},
		{"tab\tbed", 1, nil, ErrInvalidName, "ASCII"},
		{strings.Repeat("x", 250), 1, nil, ErrInvalidName, "249"},
		{"none", 0, nil, ErrPartitions, "0"},
		{"many", 7, nil, ErrTooMany, "10"},
		{"set", 1, map[string]string{"retention.mss": "1"}, ErrSetting, "did you mean retention.ms?"},
		{"set", 1, map[string]string{"retention.ms": "soon"}, ErrSetting, "soon"},
		{"set", 1, map[string]string{"cleanup.policy": "burn"}, ErrSetting, "one of: compact, delete"},
	} {
		_, err := topics.Create(c.name, c.partitions, c.own)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("creating %q with %d partitions and %v: %v, want %v saying %q", c.name, c.partitions, c.own, err, c.want, c.says)
		}
	}
	if err := topics.Extend("a.b", 4); !errors.Is(err, ErrPartitions) {
		t.Errorf("extending to as many: %v", err)
	}
	if err := topics.Extend("nobody", 4); !errors.Is(err, ErrUnknown) {
		t.Errorf("extending what is not there: %v", err)
	}
	if err := topics.Delete("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("deleting what is not there: %v", err)
	}
}

func TestLongestNameFits(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	name := strings.Repeat("x", 249)
	if _, err := topics.Create(name, 2, nil); err != nil {
		t.Fatal(err)
	}
	if err := topics.Delete(name); err != nil {
		t.Fatal(err)
	}
	if left := folders(t, dir); len(left) != 0 {
		t.Errorf("deletion left %q", left)
	}
}

func TestDeletionFreesTheDiskAndTheNameIsFree(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	first, err := topics.Create("web_log", 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, first.Partition(0), "hello")
	if err := topics.Delete("web_log"); err != nil {
		t.Fatal(err)
	}
	if left := folders(t, dir); len(left) != 0 {
		t.Errorf("deletion left %q", left)
	}
	second, err := topics.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID == first.ID || second.Partition(0).Log.End() != 0 {
		t.Errorf("the new topic has id %s (old %s) and ends at %d", second.ID, first.ID, second.Partition(0).Log.End())
	}
	if topics.ByID(first.ID) != nil || topics.ByID(second.ID) != second {
		t.Error("ids lead to the wrong topic")
	}
}

func TestExtendKeepsRecordsAndLasts(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	topic, err := first.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, topic.Partition(0), "hello")
	if err := first.Extend("web_log", 4); err != nil {
		t.Fatal(err)
	}
	put(t, topic.Partition(3), "world")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	found := open(t, dir).Get("web_log")
	if len(found.Partitions()) != 4 || found.Partition(0).Log.End() != 1 || found.Partition(3).Log.End() != 1 {
		t.Errorf("after the restart: %d partitions ending at %d and %d", len(found.Partitions()), found.Partition(0).Log.End(), found.Partition(3).Log.End())
	}
}

// The three tests below stop a change at each of its steps, as kill -9 would.

func TestCrashWhileCreatingLeavesAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	m := manifest{Name: "web_log", ID: NewID(), Partitions: 3, Own: map[string]string{}}
	if err := os.Mkdir(filepath.Join(dir, fmt.Sprintf("%s%x", creatingPrefix, m.ID[:])), 0o750); err != nil {
		t.Fatal(err)
	}
	if open(t, dir).Get("web_log") != nil || len(folders(t, dir)) != 0 {
		t.Errorf("before the rename there is no topic, but %q", folders(t, dir))
	}
	if err := topics.writeTopic(m); err != nil {
		t.Fatal(err)
	}
	found := open(t, dir).Get("web_log")
	if found == nil || found.ID != m.ID || len(found.Partitions()) != 3 {
		t.Fatalf("after the rename there is %+v, want the topic with 3 partitions", found)
	}
}

func TestCrashWhileExtendingIsCompleted(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	topic, err := topics.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest{Name: "web_log", ID: topic.ID, Partitions: 5}
	if err := durable.Replace(filepath.Join(dir, "web_log-0", manifestFile), m.encode(), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := len(open(t, dir).Get("web_log").Partitions()); got != 5 {
		t.Errorf("%d partitions after the restart, want 5", got)
	}
}

func TestCrashWhileDeletingIsCompletedAndSparesTheNewTopic(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	old, err := first.Create("web_log", 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(dir, fmt.Sprintf("%s%x", deletedPrefix, old.ID[:]))
	if err := os.Rename(filepath.Join(dir, "web_log-0"), mark); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "web_log-1")); err != nil { // the crash came here
		t.Fatal(err)
	}
	second := manifest{Name: "web_log", ID: NewID(), Partitions: 2, Own: map[string]string{}}
	if err := first.writeTopic(second); err != nil { // and a hand put another topic of that name there
		t.Fatal(err)
	}
	topics := open(t, dir)
	if found := topics.Get("web_log"); found == nil || found.ID != second.ID || len(found.Partitions()) != 2 {
		t.Fatalf("found %+v, want the new topic", found)
	}
	if got := folders(t, dir); !slices.Equal(got, []string{"web_log-0", "web_log-1"}) {
		t.Errorf("left are %q", got)
	}
}

func TestKafkasOwnFoldersAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	id := NewID()
	for _, name := range []string{"their.topic-0", "their.topic-1"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := writeMetadata(disk.Real{}, filepath.Join(dir, name), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o750); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is ours
		topics := open(t, dir)
		if found := topics.Get("their.topic"); found == nil || found.ID != id || len(found.Partitions()) != 2 {
			t.Fatalf("found %+v, want the topic with id %s and 2 partitions", found, id)
		}
		if err := topics.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedManifestIsNamed(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	if _, err := topics.Create("web_log", 1, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "web_log-0", manifestFile)
	if err := os.WriteFile(path, []byte("version=9\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v, want the file and what is wrong with it", err)
	}
}

func TestRetentionRuns(t *testing.T) {
	dir := t.TempDir()
	settings, err := NewSettings(map[string]string{"log.retention.check.interval.ms": "5", "log.segment.bytes": "1024", "log.retention.bytes": "2048"})
	if err != nil {
		t.Fatal(err)
	}
	topics, err := Open(Config{Dir: dir, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	defer topics.Close()
	topic, err := topics.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		put(t, topic.Partition(0), strings.Repeat("x", 500))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- topics.Run(ctx) }()
	for tick := time.NewTicker(time.Millisecond); topic.Partition(0).Log.Start() == 0 && ctx.Err() == nil; <-tick.C {
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if size := topic.Partition(0).Log.Size(); size > 4096 {
		t.Errorf("%d bytes are left, want about 2048", size)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(manifest{Name: "web_log", ID: NewID(), Partitions: 3, Own: map[string]string{"retention.ms": "7", "x": "a\nb=\"c\""}}.encode())
	f.Add([]byte("version=1\nname=..\npartitions=-1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		if CheckName(m.Name) != nil || m.Partitions < 1 {
			t.Fatalf("accepted %+v", m)
		}
		again, err := parseManifest(m.encode())
		if err != nil || again.Name != m.Name || again.ID != m.ID || again.Partitions != m.Partitions || len(again.Own) != len(m.Own) {
			t.Fatalf("%+v came back as %+v, %v", m, again, err)
		}
	})
}

func FuzzFolderNames(f *testing.F) {
	for _, s := range []string{"web_log-0", "a-b-12", "-1", "x-01", "x--1", "../y-0", "x-99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		topic, i, ok := parseFolder(name)
		if ok && (folder(topic, i) != name || CheckName(topic) != nil || strings.ContainsAny(name, "/\\")) {
			t.Fatalf("%q is taken for partition %d of %q", name, i, topic)
		}
	})
}
