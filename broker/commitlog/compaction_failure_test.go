package commitlog

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
)

// Whichever operation on a file fails during a compaction: what can be read stays
// right, and the next start finishes or forgets it.
func TestACompactionMayFailAtAnyOperation(t *testing.T) {
	c := newClock()
	for n := 0; ; n++ {
		fs := newCrashFS()
		cfg := compacting(c)
		cfg.fs = fs
		l := open(t, logDir(t), cfg)
		put(t, l, "a=1", "b=1")
		l.rollNow(t)
		put(t, l, "a=2")
		l.rollNow(t)
		put(t, l, "c=1")
		step, failed := 0, ""
		fs.fault = func(op, path string, size int) (int, error) {
			if step++; step-1 == n {
				failed = op + " " + filepath.Base(path)
				return 0, syscall.EIO
			}
			return size, nil
		}
		_, err := l.Compact(context.Background(), c.now)
		fs.fault = nil
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
