package commitlog

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

func TestATrimInTheActiveSegmentLetsTheNextOneFreeIt(t *testing.T) {
	l := open(t, logDir(t), Config{SegmentBytes: 1 << 30, IndexInterval: 1})
	for range 100 {
		appendTo(t, l, plain(t, "one"))
	}
	if err := l.DeleteBefore(20); err != nil {
		t.Fatal(err)
	}
	wantSegments(t, l, 0) // little of it: no tiny segment is made for that
	if err := l.DeleteBefore(80); err != nil {
		t.Fatal(err)
	}
	wantSegments(t, l, 0, 100)
	size := l.Size()
	appendTo(t, l, plain(t, "two"))
	if err := l.DeleteBefore(100); err != nil {
		t.Fatal(err)
	}
	wantSegments(t, l, 100)
	wantValues(t, l, "two")
	if l.Size() > size/50 {
		t.Errorf("%d bytes are left of %d", l.Size(), size)
	}
}

// On a disk so full that no new segment can be made, what is trimmed is gone for readers, what can be freed is, and the same
// trim frees the rest when there is room.
func TestATrimOnAFullDiskIsFinishedByTheNext(t *testing.T) {
	d, dir := crashdisk.New(), logDir(t)
	l := open(t, dir, Config{SegmentBytes: 300, Disk: d})
	for range 10 {
		appendTo(t, l, plain(t, "one"))
	}
	if n := len(l.Pieces(nil)); n < 3 {
		t.Fatalf("%d segments are no test", n)
	}
	full := true
	d.SetFault(func(op, path string, n int) (int, error) {
		if full && op == "open" && strings.HasSuffix(path, logSuffix) {
			return 0, syscall.ENOSPC
		}
		return n, nil
	})
	if err := l.DeleteBefore(10); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("want to be told that the disk is full, got %v", err)
	}
	if p := l.Pieces(nil); len(p) != 1 || l.Start() != 10 {
		t.Errorf("%d segments are left and the log begins at %d, want the active one alone and 10", len(p), l.Start())
	}
	full = false
	if err := l.DeleteBefore(10); err != nil {
		t.Fatal(err)
	}
	wantSegments(t, l, 10)
	appendTo(t, l, plain(t, "two"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	re := open(t, dir, Config{Disk: d})
	if re.Start() != record.Offset(10) {
		t.Errorf("the log begins at %d, want 10", re.Start())
	}
	wantValues(t, re, "two")
}
