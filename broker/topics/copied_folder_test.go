package topics

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Somebody keeps a copy of a partition beside it. Its topic.properties names the topic that it was copied from: taken
// at its word, that topic's log would be opened twice.
func TestACopyOfAPartitionIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, made.Partition(0), "a")
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "web_log.bak-0")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "web_log-0"))); err != nil {
		t.Fatal(err)
	}
	before := folders(t, copied)
	manifests, err := topics.scan([]string{"web_log-0", "web_log.bak-0"})
	if err != nil || len(manifests) != 1 || manifests[0].Name != "web_log" {
		t.Fatalf("found %+v, %v, want web_log once", manifests, err)
	}
	again := open(t, dir)
	if found := again.Get("web_log"); found == nil || found.Partition(0).Log.End() != 1 || len(again.List()) != 1 {
		t.Fatalf("found %+v of %d topics, want web_log alone with its record", found, len(again.List()))
	}
	if after := folders(t, copied); !slices.Equal(before, after) {
		t.Errorf("the copy had %q, now %q", before, after)
	}
}
