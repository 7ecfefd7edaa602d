package commitlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// killed is the folder of a log that was killed after three batches, the last one
// beginning at the returned position.
func killed(t *testing.T) (dir string, last int64) {
	t.Helper()
	dir = logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a", "b"))
	appendTo(t, l, plain(t, "c"))
	last = l.Size()
	appendTo(t, l, plain(t, "d", "e", "f"))
	return copyDir(t, dir), last
}

func firstLog(dir string) string { return filepath.Join(dir, "00000000000000000000.log") }

// reopen opens a damaged folder and returns what was cut.
func reopen(t testing.TB, dir string) (*Log, []string) {
	t.Helper()
	var cuts []string
	return open(t, dir, Config{Cut: func(c Cut) { cuts = append(cuts, c.String()) }}), cuts
}

func TestATailTornAtAnyByteIsCutBackToTheLastWholeBatch(t *testing.T) {
	dir, last := killed(t)
	whole := readFile(t, firstLog(dir))
	for size := last; size <= int64(len(whole)); size++ {
		writeFile(t, firstLog(dir), whole[:size])
		l, cuts := reopen(t, dir)
		switch {
		case size == last || size == int64(len(whole)):
			if len(cuts) != 0 {
				t.Fatalf("nothing is torn at %d bytes, but %q", size, cuts)
			}
		default:
			want := fmt.Sprintf("recovered web_log-0: truncated %d bytes at position %d of 00000000000000000000.log (offset 3): ", size-last, last)
			if len(cuts) != 1 || !strings.HasPrefix(cuts[0], want) || !strings.Contains(cuts[0], "torn batch") && !strings.HasSuffix(cuts[0], "zeros") {
				t.Fatalf("torn at %d bytes: want %q, got %q", size, want, cuts)
			}
		}
		if size < int64(len(whole)) {
			wantValues(t, l, "a", "b", "c")
			if a := appendTo(t, l, plain(t, "again")); a.Base != 3 {
				t.Fatalf("after the cut the next batch went to %d, want 3", a.Base)
			}
			wantValues(t, l, "a", "b", "c", "again")
		} else {
			wantValues(t, l, "a", "b", "c", "d", "e", "f")
		}
		closeLog(t, l)
		for _, name := range []string{checkpointFile, producersFile} {
			os.Remove(filepath.Join(dir, name)) // as before the first crash
		}
	}
}

func TestAFlippedBitIsCutAndSaidInOneLine(t *testing.T) {
	dir, last := killed(t)
	whole := readFile(t, firstLog(dir))
	stamped := map[int64]bool{} // base offset and leader epoch lie outside the CRC
	for i := range int64(8) {
		stamped[i] = true
	}
	for i := int64(12); i < 16; i++ {
		stamped[i] = true
	}
	for at := last; at < int64(len(whole)); at++ {
		for _, bit := range []int64{at % 8, (at + 3) % 8} {
			bad := append([]byte(nil), whole...)
			bad[at] ^= 1 << bit
			writeFile(t, firstLog(dir), bad)
			l, cuts := reopen(t, dir)
			if stamped[at-last] && at-last >= 8 {
				wantValues(t, l, "a", "b", "c", "d", "e", "f")
			} else {
				wantValues(t, l, "a", "b", "c")
				if len(cuts) != 1 {
					t.Fatalf("bit %d of byte %d: want one line, got %q", bit, at, cuts)
				}
			}
			writeFile(t, firstLog(dir), whole)
		}
	}
	bad := append([]byte(nil), whole...)
	bad[len(bad)-1] ^= 1
	writeFile(t, firstLog(dir), bad)
	_, cuts := reopen(t, dir)
	want := fmt.Sprintf("recovered web_log-0: truncated %d bytes at position %d of 00000000000000000000.log (offset 3): bad CRC", int64(len(whole))-last, last)
	if len(cuts) != 1 || cuts[0] != want {
		t.Fatalf("want %q, got %q", want, cuts)
	}
}

func TestZerosAtTheTailAreTheEnd(t *testing.T) {
	for _, n := range []int{1, 11, 60, 61, 4096, 1 << 20} {
		dir, _ := killed(t)
		whole := readFile(t, firstLog(dir))
		writeFile(t, firstLog(dir), append(whole, make([]byte, n)...))
		l, cuts := reopen(t, dir)
		wantValues(t, l, "a", "b", "c", "d", "e", "f")
		want := fmt.Sprintf("recovered web_log-0: truncated %d bytes at position %d of 00000000000000000000.log (offset 6): zeros", n, len(whole))
		if len(cuts) != 1 || cuts[0] != want {
			t.Fatalf("%d zeros: want %q, got %q", n, want, cuts)
		}
		if l.Size() != int64(len(whole)) {
			t.Fatalf("%d zeros: the log has %d bytes, want %d", n, l.Size(), len(whole))
		}
	}
}

func TestACutRemovesTheSegmentsBehindIt(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 100})
	for i := range 5 {
		appendTo(t, l, plain(t, fmt.Sprint(i)))
	}
	dir = copyDir(t, dir)
	os.Remove(filepath.Join(dir, checkpointFile))
	path := filepath.Join(dir, segmentName(2, logSuffix))
	b := readFile(t, path)
	b[len(b)-1] ^= 1
	writeFile(t, path, b)
	l, cuts := reopen(t, dir)
	wantValues(t, l, "0", "1")
	want := []string{
		fmt.Sprintf("recovered web_log-0: truncated %d bytes at position 0 of 00000000000000000004.log (offset 4): behind the cut in 00000000000000000002.log", len(b)),
		fmt.Sprintf("recovered web_log-0: truncated %d bytes at position 0 of 00000000000000000003.log (offset 3): behind the cut in 00000000000000000002.log", len(b)),
		fmt.Sprintf("recovered web_log-0: truncated %d bytes at position 0 of 00000000000000000002.log (offset 2): bad CRC", len(b)),
	}
	if fmt.Sprint(cuts) != fmt.Sprint(want) {
		t.Fatalf("want %q, got %q", want, cuts)
	}
	if a := appendTo(t, l, plain(t, "new")); a.Base != 2 {
		t.Fatalf("the next batch went to %d, want 2", a.Base)
	}
	wantValues(t, l, "0", "1", "new")
	if names, _ := filepath.Glob(filepath.Join(dir, "0*3.*")); len(names) != 0 {
		t.Fatalf("left of segment 3: %q", names)
	}
}

func TestACheckBeginsSixteenMegabytesBeforeTheRecoveryPoint(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 20 << 20})
	value := strings.Repeat("v", 1<<20)
	for range 40 {
		appendTo(t, l, plain(t, value))
	}
	l.mu.due = true
	appendTo(t, l, plain(t, "point behind this one"))
	appendTo(t, l, plain(t, "last"))
	flipped := func(offset record.Offset) (cuts []string) {
		to := copyDir(t, dir)
		span, err := l.Read(offset, 1)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, filepath.Base(span.File.Name()))
		at := span.Position + 70
		span.Release()
		b := readFile(t, path)
		b[at] ^= 1
		writeFile(t, path, b)
		re, cuts := reopen(t, to)
		closeLog(t, re)
		return cuts
	}
	if cuts := flipped(10); len(cuts) != 0 {
		t.Errorf("30 MB before the recovery point nothing is read again, but %q", cuts)
	}
	if cuts := flipped(30); len(cuts) == 0 || !strings.HasSuffix(cuts[len(cuts)-1], "(offset 30): bad CRC") {
		t.Errorf("10 MB before the recovery point a flipped bit must be found, got %q", cuts)
	}
	if cuts := flipped(41); len(cuts) != 1 {
		t.Errorf("behind the recovery point a flipped bit must be found, got %q", cuts)
	}
}

func TestAfterACleanCloseNothingIsReadAgain(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a"))
	closeLog(t, l)
	b := readFile(t, firstLog(dir))
	b[len(b)-1] ^= 1
	writeFile(t, firstLog(dir), b)
	l, cuts := reopen(t, dir)
	if len(cuts) != 0 || l.End() != 1 {
		t.Fatalf("want the log as it was closed, got end %d and %q", l.End(), cuts)
	}
}

func TestOffsetsOfALostLogAreNotGivenOutAgain(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a", "b", "c"))
	closeLog(t, l)
	if err := os.Remove(firstLog(dir)); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Config{})
	if a := appendTo(t, l, plain(t, "d")); a.Base != 3 || l.Start() != 3 {
		t.Fatalf("want the next record at 3, got %d in a log that starts at %d", a.Base, l.Start())
	}
}
