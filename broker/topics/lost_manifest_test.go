package topics

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/durable"
)

func TestATopicThatHasLostItsSettingsKeepsAllAndSaysSo(t *testing.T) {
	dir := stored(t, 3)
	path := filepath.Join(dir, "web_log-0", manifestFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	id := readMetadata(open(t, t.TempDir()).cfg.Disk, filepath.Join(dir, "web_log-1"))
	topics, lines, err := said(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(lines, "Kafka") || strings.Count(lines, "level=ERROR") != 1 || strings.Count(lines, path) != 1 || !strings.Contains(lines, "put back a copy of the file") ||
		!strings.Contains(lines, "loghaul topic alter") {
		t.Errorf("it says\n%s\nwant the file and the mend once, and nothing of a Kafka", lines)
	}
	topic := topics.Get("web_log")
	if topic == nil || len(topic.Partitions()) != 3 || topic.ID != id || topic.Own()["retention.ms"] != "-1" || topic.Own()["retention.bytes"] != "-1" {
		t.Fatalf("the topic is %+v, want the id %s, three partitions and all kept", topic, id)
	}
	for _, p := range topic.Partitions() {
		if p.Log.End() != 1 {
			t.Errorf("partition %d ends at %d, want its record", p.Index, p.Log.End())
		}
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	if _, lines, err := said(t, dir); err != nil || strings.Contains(lines, manifestFile) {
		t.Errorf("the next start says %s, %v", lines, err)
	}
}

func TestAFolderThatIsLostWithTheSettingsIsNamed(t *testing.T) {
	dir := stored(t, 3)
	if err := os.RemoveAll(filepath.Join(dir, "web_log-0")); err != nil {
		t.Fatal(err)
	}
	if _, lines, err := said(t, dir); err != nil || !strings.Contains(lines, `"partitions whose folders are gone too and begin empty"=0`) {
		t.Errorf("it says\n%s\n%v, want partition 0 named", lines, err)
	}
}

func TestSettingsThatCannotBeReadNameTheMend(t *testing.T) {
	good := manifest{Name: "web_log", ID: NewID(), Partitions: 1}
	for change, want := range map[[2]string]string{
		{"version=1", "version=7"}:       "version is 7, this program reads version 1: it was written by a newer version of this program: start that one",
		{"version=1", "version=x"}:       "put back a copy, or remove it",
		{"partitions=1", "partitions=0"}: "put back a copy, or remove it",
	} {
		dir := stored(t, 1)
		path := filepath.Join(dir, "web_log-0", manifestFile)
		content, err := durable.Unsign(good.encode())
		if err == nil {
			err = os.WriteFile(path, durable.Sign([]byte(strings.Replace(string(content), change[0], change[1], 1))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := said(t, dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want the file and %q", change[1], err, want)
		}
		flipped := []byte(strings.Replace(string(good.encode()), "partitions=1", "partitions=3", 1))
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := said(t, dir); err == nil || strings.Count(err.Error(), "put back a copy") != 1 {
			t.Errorf("a wrong checksum: %v, want the mend once", err)
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			t.Error("the file is gone")
		}
	}
}
