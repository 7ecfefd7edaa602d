package commitlog

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// A broker killed before its syncs and started on a full disk serves what it finds, and says of it that it is durable:
// then every segment must have been synced, though no index can be written.
func TestOpenSyncsEverySegmentThoughTheDiskIsFull(t *testing.T) {
	l := open(t, logDir(t), Config{SegmentBytes: 200})
	point := filepath.Join(l.Dir(), checkpointFile)
	first, err := os.ReadFile(point)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"a", "b", "c", "d", "e", "f"} {
		appendTo(t, l, plain(t, v+string(make([]byte, 50))))
	}
	dir := copyDir(t, l.Dir()) // as a kill leaves it that comes before the later recovery points
	if err := os.WriteFile(filepath.Join(dir, checkpointFile), first, 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	synced, named := map[string]bool{}, false
	fsys := crashdisk.New()
	fsys.SetFault(func(op, path string, n int) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case op == "sync" && isLog(path):
			synced[filepath.Base(path)] = true
		case op == "syncdir":
			named = true
		case op == "write" && !isLog(path):
			return 0, syscall.ENOSPC
		}
		return n, nil
	})
	again := open(t, dir, Config{SegmentBytes: 200, Disk: fsys})
	mu.Lock()
	defer mu.Unlock()
	if len(again.mu.segments) < 3 {
		t.Fatalf("the story needs several segments, there are %d", len(again.mu.segments))
	}
	for _, s := range again.mu.segments {
		if !synced[s.name()] {
			t.Errorf("%s was not synced, but the high watermark is %d", s.name(), again.HighWatermark())
		}
	}
	if !named {
		t.Error("the segments' names were not synced")
	}
	fsys.SetFault(nil)
}

// A compaction that a kill came into need not be finished for the log to be read and
// written: on a full disk that waits for a start with room.
func TestOpenServesAHalfFinishedCompactionThoughTheDiskIsFull(t *testing.T) {
	c := newClock()
	cfg := compacting(c)
	fsys := crashdisk.New()
	cfg.Disk = fsys
	l := open(t, logDir(t), cfg)
	put(t, l, "a=1", "b=1")
	put(t, l, "b=2")
	l.rollNow(t)
	put(t, l, "a=2")
	dir := ""
	fsys.SetFault(func(op, path string, n int) (int, error) {
		if op == "remove" && dir == "" && isLog(path) {
			dir = copyDir(t, l.Dir())
		}
		return n, nil
	})
	compact(t, l, c.now)
	fsys.SetFault(nil)
	full := crashdisk.New()
	cfg.Disk = full
	full.SetFault(func(op, path string, n int) (int, error) {
		if op == "write" && !isLog(path) {
			return 0, syscall.ENOSPC
		}
		return n, nil
	})
	want := []string{"0:a=1", "2:b=2", "3:a=2", "4:c=1"}
	l = open(t, dir, cfg)
	put(t, l, "c=1")
	wantPairs(t, l, want...)
	full.SetFault(nil)
	closeLog(t, l)
	l = open(t, dir, cfg)
	wantPairs(t, l, want...)
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+swapSuffix)); len(left) > 0 {
		t.Fatalf("left over: %v", left)
	}
}
