package commitlog

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// The files are Kafka's own, byte for byte.
func TestIndexFilesAreInKafkasFormat(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{IndexInterval: 100})
	times := []int64{500, 400, 600, 600, 700, 650}
	for i, ms := range times {
		appendTo(t, l, batchOf(t, record.NoProducer, ms, fmt.Sprint(i), "second")) // 83 bytes
	}
	size := l.Size() / int64(len(times))
	closeLog(t, l)
	// An entry with the first batch after each 100 bytes: batches 2 and 4.
	want := fmt.Sprintf("%08x%08x%08x%08x", 5, 2*size, 9, 4*size)
	if got := hex.EncodeToString(readFile(t, filepath.Join(dir, segmentName(0, indexSuffix)))); got != want {
		t.Errorf("index: want %s, got %s", want, got)
	}
	// The latest time so far at those batches; the last is there at once.
	want = fmt.Sprintf("%016x%08x%016x%08x", 601, 5, 701, 9)
	if got := hex.EncodeToString(readFile(t, filepath.Join(dir, segmentName(0, timesSuffix)))); got != want {
		t.Errorf("time index: want %s, got %s", want, got)
	}
}

func TestEachBatchCarriesOffsetAndEpochAndNothingElseChanges(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{LeaderEpoch: 7})
	a, b := plain(t, "a", "b"), plain(t, "c")
	sent := append(append([]byte(nil), a...), b...)
	appendTo(t, l, a)
	appendTo(t, l, b)
	stored := readFile(t, firstLog(dir))
	h, err := record.ParseHeader(stored[len(a):])
	if err != nil || h.BaseOffset != 2 || h.LeaderEpoch != 7 || !record.CheckCRC(stored[len(a):]) {
		t.Fatalf("second batch is stored as %+v, %v", h, err)
	}
	record.Stamp(stored, 0, 0)
	record.Stamp(stored[len(a):], 0, 0)
	record.Stamp(sent, 0, 0)
	record.Stamp(sent[len(a):], 0, 0)
	if string(stored) != string(sent) {
		t.Fatal("other bytes than offset and epoch changed")
	}
}

func TestLeaderEpochsAreWrittenWhenTheyWrite(t *testing.T) {
	dir := logDir(t)
	path := filepath.Join(dir, epochsFile)
	for epoch := range int32(4) {
		l := open(t, dir, Config{LeaderEpoch: epoch})
		if epoch != 2 { // an epoch that appends nothing leaves no line
			appendTo(t, l, plain(t, "a", "b"))
		}
		closeLog(t, l)
	}
	if got, want := string(readFile(t, path)), "0\n3\n0 0\n1 2\n3 4\n"; got != want {
		t.Fatalf("want %q, got %q", want, got)
	}
	l := open(t, dir, Config{LeaderEpoch: 5})
	for ask, want := range map[int32]string{0: "0 2", 1: "1 4", 2: "1 4", 3: "3 6", 4: "3 6", 5: "5 6", 9: "5 6", -1: "-1 -1"} {
		e, end := l.EpochEnd(ask)
		if got := fmt.Sprint(e, " ", int(end)); got != strings.ReplaceAll(want, " ", " ") {
			t.Errorf("epoch %d: want %s, got %s", ask, want, got)
		}
	}
	closeLog(t, l)
	if l = open(t, dir, Config{LeaderEpoch: 1}); l.LeaderEpoch() != 3 {
		t.Errorf("an epoch below the log's is raised to it: want 3, got %d", l.LeaderEpoch())
	}
}

// Indexes carry no checksum: whatever is in them, what is read is right.
func TestDamagedIndexesAreFoundOutAndRebuilt(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 3000, IndexInterval: 50})
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint("value ", i))
		appendTo(t, l, batchOf(t, record.NoProducer, int64(1000+10*i), want[i]))
	}
	closeLog(t, l)
	index, times := filepath.Join(dir, segmentName(0, indexSuffix)), filepath.Join(dir, segmentName(0, timesSuffix))
	good := map[string][]byte{index: readFile(t, index), times: readFile(t, times)}
	damages := map[string]func(b []byte) []byte{
		"zeros":     func(b []byte) []byte { return make([]byte, len(b)) },
		"ones":      func(b []byte) []byte { return []byte(strings.Repeat("\xff", len(b))) },
		"empty":     func([]byte) []byte { return nil },
		"shifted":   func(b []byte) []byte { return b[1:] },
		"cut":       func(b []byte) []byte { return b[:len(b)-3] },
		"one flip":  func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"last flip": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"first":     func(b []byte) []byte { b[3] ^= 1; return b },
	}
	for name, damage := range damages {
		for path := range good {
			t.Run(name+filepath.Ext(path), func(t *testing.T) {
				for path, b := range good {
					writeFile(t, path, b)
				}
				writeFile(t, path, damage(append([]byte(nil), good[path]...)))
				l := open(t, copyDir(t, dir), Config{})
				for from := range record.Offset(100) {
					sameValues(t, readAllValues(t, l, from, 300), want[from:])
					at, ms, err := l.OffsetForTime(int64(1000+10*from) - 5)
					if err != nil || at != from || ms != int64(1000+10*from) {
						t.Fatalf("time of offset %d: got %d at %d, %v", from, at, ms, err)
					}
				}
				if at, _, err := l.MaxTimestamp(); at != 99 || err != nil {
					t.Fatalf("latest is 99, got %d, %v", at, err)
				}
			})
		}
	}
}

// A sealed segment is not read at open; damage in it is refused when it is read.
func TestDamageInOldBytesIsRefusedWithFileAndPosition(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 200})
	for i := range 6 {
		appendTo(t, l, plain(t, fmt.Sprint(i)))
	}
	closeLog(t, l)
	b := readFile(t, firstLog(dir))
	position := len(b) / 2
	b[position+16] = 9
	writeFile(t, firstLog(dir), b)
	l = open(t, dir, Config{})
	_, err := l.Read(1, 100)
	want := fmt.Sprintf("reading %s at position %d: bad magic 9", firstLog(dir), position)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("want %q, got %v", want, err)
	}
	sameValues(t, readAllValues(t, l, 4, 100), []string{"4", "5"})
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a"))
	closeLog(t, l)
	for _, name := range []string{"partition.metadata", "00000000000000000000.snapshot", "note.log", "00000000000000000000.txnindex"} {
		writeFile(t, filepath.Join(dir, name), []byte("mine"))
	}
	for _, name := range []string{checkpointFile + tmpSuffix, segmentName(77, indexSuffix)} {
		writeFile(t, filepath.Join(dir, name), []byte("left of a crash"))
	}
	wantValues(t, open(t, dir, Config{}), "a")
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if got := len(names); got != 4+1+2+1+2 { // foreign, log, checkpoint and producers, epochs, indexes
		t.Fatalf("want the foreign files kept and ours swept, got %q", names)
	}
}
