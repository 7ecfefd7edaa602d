package commitlog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// A log that another program compacted is cut by what this one knew of it, and whole when that is forgotten.
func TestALogThatAnotherProgramCompactedIsForgottenFirst(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	var sizes []int64
	for _, v := range []string{"a", "b", "c", "d"} {
		appendTo(t, l, plain(t, v))
		sizes = append(sizes, l.Size())
	}
	if err := l.DeleteBefore(1); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	path := filepath.Join(dir, segmentName(0, logSuffix))
	b := readFile(t, path)
	writeFile(t, path, append(b[:sizes[1]:sizes[1]], b[sizes[2]:]...)) // c is gone

	cuts := 0
	cut := open(t, copyDir(t, dir), Config{Cut: func(Cut) { cuts++ }})
	if _, err := valuesFrom(cut, 1, 900); err == nil && cuts == 0 {
		t.Error("the recovery point does not notice what is missing: forgetting it is for nothing")
	}
	cut.Abandon()

	if start, err := KnownStart(disk.Real{}, dir); err != nil || start != 1 {
		t.Errorf("the log is known to begin at %d, %v, want 1", start, err)
	}
	if err := Forget(disk.Real{}, dir); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Config{Foreign: true, Cut: func(c Cut) { t.Error(c) }})
	defer closeLog(t, l)
	if l.End() != 4 {
		t.Errorf("the log ends at %d, want 4", l.End())
	}
	wantValues(t, l, "a", "b", "d")
}

// Where there is no segment at all, the recovery point alone says which offsets are used.
func TestALogWithoutFilesForgetsNothing(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	for range 3 {
		appendTo(t, l, plain(t, "a"))
	}
	closeLog(t, l)
	if err := os.Remove(filepath.Join(dir, segmentName(0, logSuffix))); err != nil {
		t.Fatal(err)
	}
	if err := Forget(disk.Real{}, dir); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Config{})
	defer closeLog(t, l)
	if a := appendTo(t, l, plain(t, "b")); a.Base < 3 {
		t.Errorf("offset %d is used again", a.Base)
	}
	if start, err := KnownStart(disk.Real{}, t.TempDir()); err != nil || start != record.Offset(0) {
		t.Errorf("of a folder without a point: %d, %v", start, err)
	}
}
