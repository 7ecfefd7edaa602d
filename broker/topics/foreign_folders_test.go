package topics

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said opens a data folder and keeps what it says.
func said(t *testing.T, dir string) (*Topics, string, error) {
	t.Helper()
	var lines bytes.Buffer
	topics, err := Open(Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	if err == nil {
		t.Cleanup(func() {
			if err := topics.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return topics, lines.String(), err
}

// stored makes a data folder with a topic of so many partitions, each with a record.
func stored(t *testing.T, partitions int) string {
	t.Helper()
	dir := t.TempDir()
	topics, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	made, err := topics.Create("web_log", partitions, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range made.Partitions() {
		put(t, p, "a")
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAFolderWhoseNameEndsInADateIsNoPartition(t *testing.T) {
	dir := stored(t, 1)
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "holiday-2024"), 0o700), os.WriteFile(filepath.Join(dir, "holiday-2024", "beach.jpg"), []byte("sand"), 0o600),
		os.Mkdir(filepath.Join(dir, "empty-7"), 0o700), os.CopyFS(filepath.Join(dir, "web_log-3000"), os.DirFS(filepath.Join(dir, "web_log-0"))))
	if err != nil {
		t.Fatal(err)
	}
	topics, lines, err := said(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if list := topics.List(); len(list) != 1 || len(list[0].Partitions()) != 1 {
		t.Errorf("%d topics, web_log has %d partitions, want one of one", len(list), len(list[0].Partitions()))
	}
	if n := len(folders(t, dir)); n != 4 {
		t.Errorf("%d entries in the folder, want the four of before", n)
	}
	for _, name := range []string{"holiday-2024", "empty-7", "web_log-3000"} {
		if strings.Count(lines, filepath.Join(dir, name)) != 1 {
			t.Errorf("%s is not named once:\n%s", name, lines)
		}
	}
}

func TestAForeignLogWithAnEnormousNumberIsRefused(t *testing.T) {
	dir := stored(t, 1)
	backup := filepath.Join(dir, "backup-20261121")
	if err := errors.Join(os.CopyFS(backup, os.DirFS(filepath.Join(dir, "web_log-0"))), os.Remove(filepath.Join(backup, metadataFile))); err != nil {
		t.Fatal(err)
	}
	before := folders(t, dir)
	if _, _, err := said(t, dir); err == nil || !strings.Contains(err.Error(), backup) || !strings.Contains(err.Error(), "move the folder away") {
		t.Errorf("opening: %v", err)
	}
	if after := folders(t, dir); len(after) != len(before) {
		t.Errorf("the folder had %q, now %q", before, after)
	}
}

func TestAMetadataFileOfANewerKafkaIsRefusedWithTheMend(t *testing.T) {
	dir := stored(t, 2)
	path := filepath.Join(dir, "web_log-1", metadataFile)
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(b), "version: 0\n") {
		t.Fatalf("it is %q, %v", b, err)
	}
	newer := strings.Replace(string(b), "version: 0", "version: 1", 1)
	if err := os.WriteFile(path, []byte(newer), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := said(t, dir); err == nil || !strings.Contains(err.Error(), path+" has version 1, this program reads version 0") || !strings.Contains(err.Error(), "put back a copy") {
		t.Errorf("opening: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != newer {
		t.Errorf("the file is %q now, %v", after, err)
	}
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := said(t, dir); err != nil {
		t.Errorf("with the old file: %v", err)
	}
}

// The copy has no topic.properties, for it is of another partition than the first; its id is web_log's.
func TestACopyOfALaterPartitionIsLeftAlone(t *testing.T) {
	dir := stored(t, 2)
	if err := os.CopyFS(filepath.Join(dir, "web_log.bak-1"), os.DirFS(filepath.Join(dir, "web_log-1"))); err != nil {
		t.Fatal(err)
	}
	topics, lines, err := said(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	made := topics.Get("web_log")
	if len(topics.List()) != 1 || made == nil || topics.ByID(made.ID) != made {
		t.Errorf("%d topics", len(topics.List()))
	}
	if _, err := os.Stat(filepath.Join(dir, "web_log.bak-0")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(lines, "copies of another topic's") {
		t.Errorf("the copy became a topic: %v\n%s", err, lines)
	}
}

func TestCopiesThatNobodyCanTellApartAreRefused(t *testing.T) {
	dir := stored(t, 1)
	if err := errors.Join(os.Remove(filepath.Join(dir, "web_log-0", manifestFile)), os.CopyFS(filepath.Join(dir, "other-0"), os.DirFS(filepath.Join(dir, "web_log-0")))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := said(t, dir); err == nil || !strings.Contains(err.Error(), "other") || !strings.Contains(err.Error(), "web_log") || !strings.Contains(err.Error(), "move these away") {
		t.Errorf("opening: %v", err)
	}
}

// With topic.properties, or the metadata of a Kafka, goes what said how long records are kept: seven days, the default,
// would delete what was to stay for ever.
func TestATopicWhoseSettingsAreNotKnownKeepsAll(t *testing.T) {
	dir := stored(t, 1)
	if err := os.Remove(filepath.Join(dir, "web_log-0", manifestFile)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		topics, _, err := said(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		if log := topics.Get("web_log").Effective().Log; log.RetentionAge > 0 || log.RetentionBytes > 0 {
			t.Errorf("it is kept for %s and up to %d bytes", log.RetentionAge, log.RetentionBytes)
		}
		if err := topics.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Kafka does not look at its sealed files when it starts: damage in one says nothing about those behind it.
func TestDamageInTheMiddleOfALogThatIsTakenOverIsRefused(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 1, map[string]string{"segment.bytes": "1024"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		put(t, made.Partition(0), strings.Repeat("a", 900))
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "web_log-0", "00000000000000000000.log")
	sound, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(sound)
	bad[len(bad)-1] ^= 1
	for _, ours := range []string{manifestFile, "commitlog-checkpoint"} {
		err = errors.Join(err, os.Remove(filepath.Join(dir, "web_log-0", ours)))
	}
	if err = errors.Join(err, os.WriteFile(first, bad, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := said(t, dir); err == nil || !strings.Contains(err.Error(), first+" is damaged at position 0 (offset 0): bad CRC") || !strings.Contains(err.Error(), "put back a copy") {
		t.Errorf("opening: %v", err)
	}
	if err := os.WriteFile(first, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	again, _, err := said(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if l := again.Get("web_log").Partition(0).Log; l.Start() != 0 || l.End() != 3 {
		t.Errorf("the log has %d to %d, want 0 to 3", l.Start(), l.End())
	}
}

func TestKafkasWordOfACleanEndGoesWithTheTakeOver(t *testing.T) {
	dir := stored(t, 1)
	marker := filepath.Join(dir, cleanFile)
	if err := errors.Join(os.Remove(filepath.Join(dir, "web_log-0", manifestFile)), os.WriteFile(marker, []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := said(t, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a Kafka that is started here again believes that nothing has happened: %v", err)
	}
}
