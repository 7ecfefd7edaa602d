package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestANewContentTakesTheNameAndLeavesNothingBeside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, want := range []string{"old and longer", "new"} {
		if err := Replace(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Fatalf("want %q, got %q, %v", want, got, err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("want the file alone, got %v, %v", names, err)
	}
}

func TestWhatCannotBeWrittenLeavesTheOldContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := Replace(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+".tmp", 0o700); err != nil { // in the way of the new content
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600); err == nil {
		t.Error("want an error, got none")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("want the old content, got %q, %v", got, err)
	}
	if err := SyncFolder(filepath.Join(dir, "nowhere")); err == nil && os.PathSeparator == '/' {
		t.Error("a folder that is not there was synced")
	}
}
