package commitlog

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// abortedTwice is the folder of a log with an aborted transaction in its first
// segment and two in its second, closed.
func abortedTwice(t *testing.T) (dir string, want []AbortedTxn) {
	t.Helper()
	dir = logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, txnBatch(t, 7, 0, "a"))
	endTxn(t, l, 7, false)
	l.rollNow(t)
	appendTo(t, l, txnBatch(t, 8, 0, "b"))
	endTxn(t, l, 8, false)
	appendTo(t, l, txnBatch(t, 9, 0, "c"))
	endTxn(t, l, 9, false)
	closeLog(t, l)
	return dir, []AbortedTxn{{7, 0, 1}, {8, 2, 3}, {9, 4, 5}}
}

// Whatever byte is wrong of what an entry of the index of aborted transactions says of
// its marker, after a clean end, no aborted record is handed out as committed.
func TestAWrongByteInTheIndexOfAbortedTransactions(t *testing.T) {
	dir, want := abortedTwice(t)
	for _, base := range []record.Offset{0, 2} {
		whole := readFile(t, filepath.Join(dir, segmentName(base, abortSuffix)))
		for i := range whole {
			if at := i % abortedWidth; at >= 26 || at >= 10 && at < 18 {
				continue // the first offset and where the search may stop: nothing left in the log need tell them
			}
			for _, flip := range []byte{1, 0x80} {
				again := copyDir(t, dir)
				b := append([]byte(nil), whole...)
				b[i] ^= flip
				writeFile(t, filepath.Join(again, segmentName(base, abortSuffix)), b)
				l := open(t, again, Config{})
				appendTo(t, l, plain(t, "more"))
				got, err := l.Aborted(0, l.End())
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range want {
					hidden := false
					for _, g := range got {
						hidden = hidden || g.ProducerID == w.ProducerID && g.First <= w.First && g.Last == w.Last
					}
					if !hidden {
						t.Fatalf("byte %d of the index at %d was wrong: aborted are %v, want %v", i, base, got, want)
					}
				}
				closeLog(t, l)
			}
		}
	}
}

// What is made anew is whole on the disk before anything trusts it: a power cut
// leaves the old index, which is found wrong again, or the new one.
func TestAPowerCutWhileTheIndexOfAbortedTransactionsIsMadeAnew(t *testing.T) {
	dir, want := abortedTwice(t)
	path := filepath.Join(dir, segmentName(0, abortSuffix))
	b := readFile(t, path)
	b[0] ^= 1
	writeFile(t, path, b)
	c := &cuts{t: t, dir: dir}
	c.fs = crashdisk.New()
	l := openWith(t, dir, Config{Disk: c.fs}, nil)
	var images []string
	cut := func() {
		for seed := range uint64(8) {
			images = append(images, powerCut(t, c.fs, rand.New(rand.NewPCG(seed, 6)), dir))
		}
	}
	c.fs.SetFault(func(op, path string, n int) (int, error) {
		if op != "open" {
			cut()
		}
		return n, nil
	})
	wantAborted(t, l, 0, 6, want...)
	c.fs.SetFault(nil)
	cut()
	for _, dir := range images {
		wantAborted(t, open(t, dir, Config{}), 0, 6, want...)
	}
	if len(images) < 32 {
		t.Fatalf("only %d images were made", len(images))
	}
}

// Appends go on while the index is made anew, however long the log is.
func TestAppendsGoOnWhileTheIndexOfAbortedTransactionsIsMadeAnew(t *testing.T) {
	dir, want := abortedTwice(t)
	path := filepath.Join(dir, segmentName(0, abortSuffix))
	b := readFile(t, path)
	b[0] ^= 1
	writeFile(t, path, b)
	fs := &readHook{}
	l := openWith(t, dir, Config{Disk: fs}, nil)
	ended := false
	fs.before = func(path string) {
		if !ended && strings.HasSuffix(path, segmentName(0, logSuffix)) {
			ended = true // once, in the middle of the walk through the first segment
			if !l.appending.TryLock() {
				t.Error("appends wait for the walk")
				return
			}
			l.appending.Unlock()
			l.rollNow(t)
			appendTo(t, l, txnBatch(t, 9, 1, "d"))
			endTxn(t, l, 9, false)
		}
	}
	wantAborted(t, l, 0, 8, append(want, AbortedTxn{9, 6, 7})...)
	if !ended {
		t.Fatal("nothing was read")
	}
}
