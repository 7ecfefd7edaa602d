package broker_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/loghaul/loghaul/broker"
)

// filled is the data folder of a broker that was stopped, with so many lines in web_log.
func filled(t *testing.T, cfg broker.Config, lines int) string {
	t.Helper()
	if cfg.Data == "" {
		cfg.Data = t.TempDir()
	}
	r := start(t, cfg)
	cl := r.client(kgo.ProducerLinger(0))
	for i := range lines {
		r.produce(cl, "web_log", i, i+1) // a batch each
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	return cfg.Data
}

func TestAFolderOfANewerVersionIsRefusedUntouched(t *testing.T) {
	data := filled(t, broker.Config{}, 3)
	for file, change := range map[string][2]string{
		"meta.properties":                {"version=1", "version=2"},
		"web_log-0/topic.properties":     {"version=1", "version=2"},
		"web_log-0/commitlog-checkpoint": {"commitlog 1", "commitlog 2"},
	} {
		path := filepath.Join(data, filepath.FromSlash(file))
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content := string(old)
		if _, unsigned, signed := strings.Cut(content, "\n"); signed && strings.HasPrefix(content, "#check") {
			content = unsigned
		}
		changed := strings.Replace(content, change[0], change[1], 1)
		if changed == content {
			t.Fatalf("%s has no %q:\n%s", file, change[0], content)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, broker.Config{Data: data}, path, "version", "this program reads version 1")
		if now, err := os.ReadFile(path); err != nil || string(now) != changed {
			t.Errorf("%s was changed to %q, %v", file, now, err)
		}
		if err := os.WriteFile(path, old, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantLines(t, start(t, broker.Config{Data: data}).consume("web_log", 3), 3)
}

func TestWhatIsForeignInTheFolderIsLeftAloneAndNamed(t *testing.T) {
	data := filled(t, broker.Config{}, 3)
	foreign := map[string]string{
		"holiday/beach.jpg": "sand",
		"notes.txt":         "remember",
		"old-1.0a1b2c3d4e5f60718293a4b5c6d7e8f9-delete/00000000000000000000.log": "was deleted",
		"web_log-0/README":                           "by hand",
		"web_log-0/00000000000000000007.log.bak":     "a copy",
		"web_log-0/00000000000000000000.log.deleted": "a Kafka's",
	}
	for name, content := range foreign {
		path := filepath.Join(data, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 3), 3)
	if n := r.log.count("was left alone"); n != 2 || r.log.count("holiday") != 1 || r.log.count("remove it to have its space") != 1 {
		t.Errorf("%d lines about foreign folders, want one for each of two:\n%s", n, r.log)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for name, content := range foreign {
		if got, err := os.ReadFile(filepath.Join(data, filepath.FromSlash(name))); err != nil || string(got) != content {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

func TestAPartitionOnAnotherDiskIsFoundThroughItsLink(t *testing.T) {
	data := filled(t, broker.Config{}, 3)
	elsewhere := filepath.Join(t.TempDir(), "web_log-0")
	if err := os.Rename(filepath.Join(data, "web_log-0"), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(data, "web_log-0")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	wantLines(t, start(t, broker.Config{Data: data}).consume("web_log", 3), 3)
}

func TestAFolderOfAnotherTopicIsNotTakenOver(t *testing.T) {
	data := filled(t, broker.Config{CreateTopics: []string{"web_log:2"}}, 0)
	other := filled(t, broker.Config{CreateTopics: []string{"web_log:2"}}, 0)
	moved := filepath.Join(data, "web_log-1")
	if err := errors.Join(os.RemoveAll(moved), os.CopyFS(moved, os.DirFS(filepath.Join(other, "web_log-1")))); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(moved, "partition.metadata"))
	refuses(t, broker.Config{Data: data}, moved, "topic web_log has the id", "move the folder away")
	if after, _ := os.ReadFile(filepath.Join(moved, "partition.metadata")); string(after) != string(before) {
		t.Errorf("the folder said %q, now %q", before, after)
	}
}

func TestALostSegmentIsNamedAndTheRestServed(t *testing.T) {
	const lines = 60
	settings := map[string]string{"log.segment.bytes": "1024"}
	data := filled(t, broker.Config{Settings: settings}, lines)
	segments, err := filepath.Glob(filepath.Join(data, "web_log-0", "*.log"))
	if err != nil || len(segments) < 3 {
		t.Fatalf("the story needs three segments: %v, %v", segments, err)
	}
	lost := segments[1]
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	var from, to int
	_, err = fmt.Sscanf(filepath.Base(lost), "%d.log", &from)
	_, err2 := fmt.Sscanf(filepath.Base(segments[2]), "%d.log", &to)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data, Settings: settings})
	eventually(t, "a line about the lost file", func() bool {
		return r.log.count("the file that begins with offset "+fmt.Sprint(from)+" is missing") == 1
	})
	if r.log.count(fmt.Sprintf("offsets %d to %d of web_log-0", from, to-1)) != 1 || r.log.count("loghaul topic trim") != 1 {
		t.Errorf("the line names neither the offsets nor the mend:\n%s", r.log)
	}
	wantLines(t, r.consume("web_log", from)[:from], from)
	behind := r.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"web_log": {0: kgo.NewOffset().At(int64(to))}}))
	for i, rec := range poll(t, behind, lines-to) {
		if want := fmt.Sprintf("line %d", to+i); string(rec.Value) != want {
			t.Fatalf("record %d is %q, want %q", to+i, rec.Value, want)
		}
	}
}

func TestAClockAYearAheadDeletesNothingUnsaid(t *testing.T) {
	settings := map[string]string{"log.retention.hours": "1", "log.retention.check.interval.ms": "20", "log.segment.bytes": "1024", "log.cleaner.enable": "false"}
	data := filled(t, broker.Config{Settings: settings}, 30)
	// The clock cannot be set here, so that all else is of a year ago.
	old := time.Now().Add(-365 * 24 * time.Hour)
	if err := os.WriteFile(filepath.Join(data, "last-seen"), []byte(old.UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(data, "web_log-0"), func(path string, d fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, old, old))
	})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data, Settings: settings})
	if r.log.count("nothing is deleted for its age until") != 1 || r.log.count("if the clock is wrong, set it") != 1 {
		t.Errorf("the jump is not told:\n%s", r.log)
	}
	cl := r.client(kgo.ProducerLinger(0))
	small := map[string]*string{"retention.bytes": kadm.StringPtr("1")}
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, small, "zebra"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		r.produce(cl, "zebra", i, i+1)
	}
	eventually(t, "retention to come to the last topic", func() bool { return r.log.count("log=zebra-0") > 0 })
	wantLines(t, r.consume("web_log", 30), 30)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	// With the folder in use until now, the same files are simply old.
	if err := os.WriteFile(filepath.Join(data, "last-seen"), []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data, Settings: settings})
	eventually(t, "old segments to be deleted", func() bool { return r.log.count("deleted segment") > 0 })
}

// Ages are counted from the append: lines of long ago are kept as long as any, lines of the far future no longer. A time
// beyond what the topic allows is refused, and the answer says which record it is.
func TestTimesOfLongAgoAndOfTheFutureDoNotDelete(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"log.retention.hours": "1", "log.retention.check.interval.ms": "20", "log.segment.bytes": "1024",
		"log.message.timestamp.after.max.ms": "9223372036854775807"}})
	cl := r.client(kgo.ProducerLinger(0))
	times := []time.Time{time.UnixMilli(0), time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC), time.Now(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2260, 1, 1, 0, 0, 0, 0, time.UTC)}
	const each = 10
	for i, at := range times {
		for range each {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log", Value: make([]byte, 300), Timestamp: at}).FirstErr(); err != nil {
				t.Fatalf("time %s: %v", times[i], err)
			}
		}
	}
	small := map[string]*string{"retention.bytes": kadm.StringPtr("1"), "message.timestamp.after.max.ms": kadm.StringPtr("3600000")}
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, small, "zebra"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		r.produce(cl, "zebra", i, i+1)
	}
	eventually(t, "retention to come to the last topic", func() bool { return r.log.count("log=zebra-0") > 0 })
	records := r.consume("web_log", each*len(times))
	for i, rec := range records {
		if want := times[i/each].UnixMilli(); rec.Offset != int64(i) || rec.Timestamp.UnixMilli() != want {
			t.Fatalf("record %d has offset %d and time %d, want %d", i, rec.Offset, rec.Timestamp.UnixMilli(), want)
		}
	}
	err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "zebra", Value: []byte("x"), Timestamp: time.Now().Add(48 * time.Hour)}).FirstErr()
	if !errors.Is(err, kerr.InvalidTimestamp) {
		t.Errorf("a line of the day after tomorrow: %v, want INVALID_TIMESTAMP", err)
	}
}
