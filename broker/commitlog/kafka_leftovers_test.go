package commitlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a Kafka had deleted or not finished when it ended is no part of the log: it is named once with its mend, and stays.
func TestWhatAKafkaLeftBehindIsNamedAndNotRead(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a"))
	appendTo(t, l, plain(t, "b"))
	closeLog(t, l)
	batch := readFile(t, firstLog(dir))
	left := []string{"00000000000000000000.log.deleted", "00000000000000000000.index.deleted", "00000000000000000000.log.cleaned", "00000000000000000002.log.deleted", "00000000000000000002.snapshot.deleted"}
	for _, name := range left {
		writeFile(t, filepath.Join(dir, name), batch)
	}
	writeFile(t, filepath.Join(dir, "note.deleted"), nil)
	for range 2 {
		var said bytes.Buffer
		l = open(t, dir, Config{Foreign: true, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		wantValues(t, l, "a", "b")
		if n := strings.Count(said.String(), "Kafka left files in the folder"); n != 1 || !strings.Contains(said.String(), fmt.Sprintf("count=%d", len(left))) || !strings.Contains(said.String(), left[1]) {
			t.Errorf("said of them %d times:\n%s", n, said.String())
		}
		if !strings.Contains(said.String(), "are no part of the log") || !strings.Contains(said.String(), "files=note.deleted") {
			t.Errorf("a file of somebody else is not told apart:\n%s", said.String())
		}
		closeLog(t, l)
		for _, name := range left {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, batch) {
				t.Errorf("%s did not stay as it was: %v", name, err)
			}
		}
	}
}

// A segment that a Kafka had finished and not put in its place stands for others, some of which may be gone: nothing is read
// past it, and nothing is changed.
func TestACompactionThatAKafkaHadNotPutInItsPlaceIsRefused(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a"))
	appendTo(t, l, plain(t, "b"))
	closeLog(t, l)
	swap := filepath.Join(dir, "00000000000000000000.log.swap")
	if err := os.Rename(firstLog(dir), swap); err != nil {
		t.Fatal(err)
	}
	before, _ := filepath.Glob(filepath.Join(dir, "*"))
	_, err := Open(dir, Config{Foreign: true}, nil)
	if err == nil || !strings.Contains(err.Error(), swap+" was left by a Kafka") || !strings.Contains(err.Error(), "start that Kafka once more and stop it") {
		t.Errorf("opening: %v", err)
	}
	if after, _ := filepath.Glob(filepath.Join(dir, "*")); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the folder had %q, now %q", before, after)
	}
	if err := os.Rename(swap, firstLog(dir)); err != nil { // as the Kafka does
		t.Fatal(err)
	}
	wantValues(t, open(t, dir, Config{Foreign: true}), "a", "b")
}
