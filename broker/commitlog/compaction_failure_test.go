package commitlog

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// Whichever operation on a file fails during a compaction: what can be read stays
// right, and the next start finishes or forgets it.
func TestACompactionMayFailAtAnyOperation(t *testing.T) {
	c := newClock()
	for n := 0; ; n++ {
		fs := crashdisk.New()
		cfg := compacting(c)
		cfg.Disk = fs
		l := open(t, logDir(t), cfg)
		put(t, l, "a=1", "b=1")
		l.rollNow(t)
		put(t, l, "a=2")
		l.rollNow(t)
		put(t, l, "c=1")
		step, failed := 0, ""
		fs.SetFault(func(op, path string, size int) (int, error) {
			if step++; step-1 == n {
				failed = op + " " + filepath.Base(path)
				return 0, syscall.EIO
			}
			return size, nil
		})
		_, err := l.Compact(context.Background(), c.now)
		fs.SetFault(nil)
		if failed == "" {
			if wantPairs(t, l, "1:b=1", "2:a=2", "3:c=1"); n < 20 {
				t.Fatalf("only %d operations were seen", n)
			}
			return
		}
		got := pairsFrom(t, l, 0)
		if len(got) != 3 && (len(got) != 4 || got[0] != "0:a=1") {
			t.Fatalf("%s failed, %v: the log holds %q", failed, err, got)
		}
		_ = l.Close()
		re := open(t, l.Dir(), compacting(c))
		compact(t, re, c.now)
		wantPairs(t, re, "1:b=1", "2:a=2", "3:c=1")
		for _, suffix := range []string{swapSuffix, cleanedSuffix} {
			if left, _ := filepath.Glob(filepath.Join(l.Dir(), "*"+suffix)); len(left) > 0 {
				t.Fatalf("%s failed: left over %v", failed, left)
			}
		}
		closeLog(t, re)
	}
}

// What a full disk leaves half done the next compaction finishes, without a restart.
func TestACompactionThatAFullDiskCutShortIsFinishedByTheNext(t *testing.T) {
	c := newClock()
	half := 0
	for n := 0; ; n++ {
		fs := crashdisk.New()
		cfg := compacting(c)
		cfg.Disk = fs
		l := open(t, logDir(t), cfg)
		put(t, l, "a=1", "b=1")
		l.rollNow(t)
		put(t, l, "a=2")
		l.rollNow(t)
		put(t, l, "c=1")
		step, failed := 0, false
		fs.SetFault(func(op, path string, size int) (int, error) {
			if op != "sync" && op != "syncdir" { // those fail for good, whatever the reason
				step++
			}
			if op != "sync" && op != "syncdir" && step-1 == n {
				failed = true
				return 0, syscall.ENOSPC
			}
			return size, nil
		})
		_, _ = l.Compact(context.Background(), c.now)
		fs.SetFault(nil)
		if !failed {
			if half == 0 {
				t.Error("none was left half done")
			}
			return
		}
		if len(l.compacting.half) > 0 {
			half++
			wantPairs(t, l, "1:b=1", "2:a=2", "3:c=1")
		}
		compact(t, l, c.now)
		wantPairs(t, l, "1:b=1", "2:a=2", "3:c=1")
		if left, _ := filepath.Glob(filepath.Join(l.Dir(), "*"+swapSuffix)); len(left) > 0 || len(l.compacting.half) > 0 || l.compacting.stuck {
			t.Fatalf("operation %d failed: left over %v, %d, stuck %t", n, left, len(l.compacting.half), l.compacting.stuck)
		}
		closeLog(t, l)
		wantPairs(t, open(t, l.Dir(), compacting(c)), "1:b=1", "2:a=2", "3:c=1")
	}
}
