package commitlog

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// readHook is the disk with a moment before each read of a file.
type readHook struct {
	unsyncedDisk
	before func(path string)
}

type hookedFile struct {
	disk.File
	fs   *readHook
	path string
}

func (h *readHook) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := h.unsyncedDisk.Open(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return &hookedFile{f, h, path}, nil
}

func (f *hookedFile) ReadAt(b []byte, at int64) (int, error) {
	if f.fs.before != nil {
		f.fs.before(f.path)
	}
	return f.File.ReadAt(b, at)
}

// A compaction that looks by while appends wait for their sync takes nothing of that
// sync away: what was sealed since the last one is on the disk before it is promised.
func TestACompactionLeavesTheNextSyncItsWork(t *testing.T) {
	c := newClock()
	fs := crashdisk.New()
	cfg := compacting(c)
	cfg.Disk = fs
	l := openWith(t, logDir(t), cfg, NewSyncer(SyncerConfig{}))
	put(t, l, "a=1")
	l.rollNow(t)
	put(t, l, "b=1")
	compact(t, l, c.now)
	put(t, l, "c=1")
	var images []string
	defer l.Watch(func() {
		if len(images) == 0 && l.HighWatermark() == 3 { // the moment at which appends are acknowledged
			for seed := range uint64(12) {
				images = append(images, powerCut(t, fs, rand.New(rand.NewPCG(seed, 5)), l.Dir()))
			}
		}
	})()
	l.sync()
	for _, dir := range images {
		wantPairs(t, open(t, dir, compacting(c)), "0:a=1", "1:b=1", "2:c=1")
	}
	if len(images) == 0 {
		t.Fatal("the high watermark did not rise")
	}
}

// When a deletion takes one segment of those that are being compacted, the others are
// not taken for compacted: a value that was overwritten would stay after its key's
// deletion has gone.
func TestADeletionInTheMiddleOfACompaction(t *testing.T) {
	c := newClock()
	fs := crashdisk.New()
	cfg := compacting(c)
	cfg.Disk = fs
	l := open(t, logDir(t), cfg)
	put(t, l, "x=1")
	l.rollNow(t)
	put(t, l, "a=1")
	l.rollNow(t)
	put(t, l, "a")
	l.rollNow(t)
	put(t, l, "z=1")
	fs.SetFault(func(op, path string, n int) (int, error) {
		if op == "sync" && strings.HasSuffix(path, cleanedSuffix) {
			fs.SetFault(nil)
			if err := l.DeleteBefore(1); err != nil {
				t.Errorf("deleting: %v", err)
			}
		}
		return n, nil
	})
	compact(t, l, c.now)
	for i := range 4 {
		c.advance(2 * time.Hour)
		put(t, l, fmt.Sprintf("z=%d", i+2))
		l.rollNow(t)
		compact(t, l, c.now)
	}
	if got := fmt.Sprint(pairsFrom(t, l, l.Start())); strings.Contains(got, ":a") {
		t.Fatalf("key a was deleted, the log holds %s", got)
	}
}

// A reader that finds a gap at a segment's end goes on with what follows it, also
// when a compaction joins the two at that moment.
func TestAReaderBetweenTwoSegmentsThatAreJoined(t *testing.T) {
	c := newClock()
	cfg := compacting(c)
	fs := &readHook{}
	cfg.Disk = fs
	l := open(t, logDir(t), cfg)
	put(t, l, "x=1")
	put(t, l, "a=1")
	l.rollNow(t)
	put(t, l, "a=2")
	l.rollNow(t)
	put(t, l, "z=1")
	cfg.SegmentBytes = 1 // no two are joined
	if err := l.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	compact(t, l, c.now)
	wantSegments(t, l, 0, 2, 3)
	cfg.SegmentBytes = 1 << 20
	if err := l.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	l.rollNow(t)
	put(t, l, "z=2")
	fs.before = func(path string) {
		if strings.HasSuffix(path, cleanedSuffix) { // the name under which the first segment was opened
			fs.before = nil
			compact(t, l, c.now)
		}
	}
	span, err := l.Read(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer span.Release()
	if wantSegments(t, l, 0, 4); span.Base != 2 {
		t.Fatalf("read from 1: got %d, want the batch at 2", span.Base)
	}
}

// A damaged segment is reported once, not read again and again.
func TestADamagedLogIsLeftAloneByCompaction(t *testing.T) {
	c := newClock()
	l := damagedLog(t, c)
	if _, err := l.Compact(context.Background(), c.now); err == nil || !strings.Contains(err.Error(), "bad CRC") || !strings.Contains(err.Error(), "position ") {
		t.Fatalf("want the damage and its place, got %v", err)
	}
	if stats, err := l.Compact(context.Background(), c.now); err != nil || stats.Ran {
		t.Fatalf("it was tried again: %+v, %v", stats, err)
	}
}

// damagedLog has a sealed segment with a bad byte.
func damagedLog(t *testing.T, c *clock) *Log {
	t.Helper()
	l := open(t, logDir(t), compacting(c))
	put(t, l, "a=1")
	l.rollNow(t)
	put(t, l, "b=1")
	path := l.mu.segments[0].path(logSuffix)
	b := readFile(t, path)
	b[len(b)-2] ^= 1
	writeFile(t, path, b)
	return l
}
