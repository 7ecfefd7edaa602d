package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// Whatever lies in a log's folder: Open says no or gives a log of whole, sound
// batches that takes appends, and a second Open finds nothing left to cut.
func FuzzRecovery(f *testing.F) {
	dir := logDir(f)
	l := open(f, dir, Config{IndexInterval: 50, SegmentBytes: 400})
	for i := range int32(6) {
		appendTo(f, l, sequenced(f, 7, 0, i*2, 2))
	}
	appendTo(f, l, txnBatch(f, 8, 0, "a"))
	endTxn(f, l, 8, false)
	appendTo(f, l, txnBatch(f, 8, 1, "open"))
	files := func(dir string) (out [7][]byte) {
		for i, name := range fuzzed {
			out[i], _ = os.ReadFile(filepath.Join(dir, name))
		}
		return out
	}
	seed := func(b [7][]byte) { f.Add(b[0], b[1], b[2], b[3], b[4], b[5], b[6]) }
	seed(files(dir))
	closeLog(f, l)
	b := files(dir)
	seed(b)
	b[0] = b[0][:len(b[0])-5]
	seed(b)
	b[3] = nil
	seed(b)
	b[6] = make([]byte, 3*abortedWidth)
	seed(b)
	seed([7][]byte{make([]byte, 200)})
	seed([7][]byte{})
	f.Fuzz(func(t *testing.T, log, index, times, check, producers, epochs, aborted []byte) {
		dir := logDir(t)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i, b := range [][]byte{log, index, times, check, producers, epochs, aborted} {
			if b != nil {
				writeFile(t, filepath.Join(dir, fuzzed[i]), b)
			}
		}
		l, err := Open(dir, Config{Disk: unsyncedDisk{}}, nil)
		if err != nil {
			return
		}
		defer l.Close()
		soundToTheEnd(t, l)
		before := l.End()
		if a, err := l.Append(plain(t, "more")); err != nil || a.Base != before {
			t.Fatalf("appending after recovery: %+v, %v", a, err)
		}
		soundToTheEnd(t, l)
		l.OffsetForTime(1000)
		if _, err := l.Aborted(0, l.End()); err != nil {
			var storage *StorageError
			if !errors.As(err, &storage) {
				t.Fatalf("aborted transactions: %v", err)
			}
		}
		l.MaxTimestamp()
		re := open(t, copyDir(t, dir), Config{Cut: func(c Cut) { t.Errorf("second recovery: %s", c) }})
		if re.End() != l.End() || re.Start() != l.Start() {
			t.Fatalf("second recovery: %d to %d, first %d to %d", re.Start(), re.End(), l.Start(), l.End())
		}
	})
}

var fuzzed = [7]string{segmentName(0, logSuffix), segmentName(0, indexSuffix), segmentName(0, timesSuffix), checkpointFile, producersFile, epochsFile, segmentName(0, abortSuffix)}

// soundToTheEnd reads each batch: its header is sound and its offset in order.
func soundToTheEnd(t *testing.T, l *Log) {
	t.Helper()
	for at := l.Start(); at < l.HighWatermark(); {
		span, err := l.Read(at, 1)
		if err != nil {
			return // damage in what was closed cleanly is refused
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if len(b) == 0 || err != nil {
			t.Fatalf("nothing to read at %d of %d: %v", at, l.HighWatermark(), err)
		}
		h, err := record.ParseHeader(b)
		if err != nil || h.Size() != len(b) || h.LastOffset() < at {
			t.Fatalf("batch for offset %d is %+v, %d bytes, %v", at, h, len(b), err)
		}
		at = h.NextOffset()
	}
}

func FuzzProducerSnapshot(f *testing.F) {
	ps := producers{byID: map[int64]*producer{}}
	f.Add(ps.encode(0))
	for i := range int32(20) {
		h := record.Header{ProducerID: int64(i % 3), BaseSequence: i, BaseOffset: record.Offset(i)}
		if i%4 == 0 {
			h.Attributes = 1 << 4 // transactional
		}
		ps.add(h, nil, int64(i), 10)
		ps.add(record.Header{ProducerID: 9, Attributes: 3 << 4}, &Marker{ProducerID: 9, CoordinatorEpoch: i}, int64(i), 10)
	}
	f.Add(ps.encode(20))
	f.Fuzz(func(t *testing.T, b []byte) {
		ps, offset, err := decodeProducers(b)
		if err != nil {
			return
		}
		again, at, err := decodeProducers(ps.encode(offset))
		if err != nil || at != offset || len(again.byID) != len(ps.byID) {
			t.Fatalf("what was decoded does not survive encoding: %v", err)
		}
	})
}

func FuzzSmallFilesAndNames(f *testing.F) {
	f.Add(checkpoint{start: 3, end: 90, segment: 7, position: 4567, latestTime: -1, clean: true}.bytes())
	f.Add(epochs{{0, 0}, {3, 17}}.bytes())
	f.Add(compactedBytes(90))
	f.Add([]byte(swapName(3, 90, swapSuffix)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseCheckpoint(b); err == nil && string(c.bytes()) != string(b) {
			t.Fatalf("checkpoint %q is read as %q", b, c.bytes())
		}
		if upTo, err := parseCompacted(b); err == nil && string(compactedBytes(upTo)) != string(b) {
			t.Fatalf("how far it was compacted, %q, is read as %d", b, upTo)
		}
		if first, next, ok := parseSwapName(string(b), swapSuffix); ok && swapName(first, next, swapSuffix) != string(b) {
			t.Fatalf("the name %q is read as %d and %d", b, first, next)
		}
		es, err := parseEpochs(b)
		for i := 1; err == nil && i < len(es); i++ {
			if es[i].epoch <= es[i-1].epoch || es[i].start < es[i-1].start {
				t.Fatalf("epochs %v do not ascend", es)
			}
		}
	})
}
