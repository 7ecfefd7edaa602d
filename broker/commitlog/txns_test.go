package commitlog

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// txnBatch is a transactional batch of producer id at epoch 0.
func txnBatch(t testing.TB, id int64, sequence int32, values ...string) []byte {
	t.Helper()
	b := batchOf(t, record.Producer{ID: id, Sequence: sequence}, 1000, values...)
	record.SetTransactional(b)
	return b
}

func endTxn(t testing.TB, l *Log, id int64, commit bool) Appended {
	t.Helper()
	a, err := l.AppendMarker(Marker{ProducerID: id, Commit: commit, CoordinatorEpoch: 1})
	if err != nil {
		t.Fatalf("ending the transaction of producer %d: %v", id, err)
	}
	return a
}

func wantStable(t testing.TB, l *Log, want record.Offset) {
	t.Helper()
	if got := l.LastStable(); got != want {
		t.Fatalf("the last stable offset is %d, want %d", got, want)
	}
}

func wantAborted(t testing.TB, l *Log, from, to record.Offset, want ...AbortedTxn) {
	t.Helper()
	got, err := l.Aborted(from, to)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("aborted between %d and %d: got %v, want %v", from, to, got, want)
	}
}

// committedValues is what a read_committed consumer is given: batches up to the last
// stable offset, without markers and without aborted transactions.
func committedValues(t testing.TB, l *Log, from record.Offset) []string {
	t.Helper()
	var values []string
	var r record.Reader
	for at := from; ; {
		span, err := l.ReadCommitted(at, 200)
		if err != nil {
			t.Fatal(err)
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 {
			return values
		}
		for len(b) > 0 {
			h, err := record.ParseHeader(b)
			if err != nil || h.Size() > len(b) || h.NextOffset() > l.LastStable() {
				t.Fatalf("batch %+v of %d bytes, stable is %d: %v", h, len(b), l.LastStable(), err)
			}
			aborted, err := l.Aborted(h.BaseOffset, h.NextOffset())
			if err != nil {
				t.Fatal(err)
			}
			skip := h.Control()
			for _, a := range aborted {
				skip = skip || h.Transactional() && a.ProducerID == h.ProducerID && a.First <= h.BaseOffset
			}
			if !skip {
				err = r.Read(b[:h.Size()], 1<<20, func(rec *record.Record) error {
					if rec.Offset >= at {
						values = append(values, string(rec.Value))
					}
					return nil
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			at, b = h.NextOffset(), b[h.Size():]
		}
	}
}

func TestReadersOfCommittedRecordsStopAtTheFirstOpenTransaction(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 300})
	appendTo(t, l, plain(t, "a"))
	appendTo(t, l, txnBatch(t, 7, 0, "b", "c"))
	appendTo(t, l, plain(t, "d"))
	appendTo(t, l, txnBatch(t, 8, 0, "e"))
	wantStable(t, l, 1)
	sameValues(t, committedValues(t, l, 0), []string{"a"})
	if a := endTxn(t, l, 7, true); a.Base != 5 || a.Last != 5 {
		t.Fatalf("the marker is at %+v, want 5", a)
	}
	wantStable(t, l, 4)
	sameValues(t, committedValues(t, l, 0), []string{"a", "b", "c", "d"})
	sameValues(t, committedValues(t, l, 4), nil)
	sameValues(t, committedValues(t, l, 5), nil) // behind the stable offset is no error
	appendTo(t, l, txnBatch(t, 7, 2, "f"))
	endTxn(t, l, 8, false)
	wantStable(t, l, 6)
	endTxn(t, l, 7, false)
	wantStable(t, l, 9)
	sameValues(t, committedValues(t, l, 0), []string{"a", "b", "c", "d"})
	wantAborted(t, l, 0, 9, AbortedTxn{8, 4, 7}, AbortedTxn{7, 6, 8})
	wantAborted(t, l, 0, 6, AbortedTxn{8, 4, 7})
	wantAborted(t, l, 8, 9, AbortedTxn{7, 6, 8})
	wantAborted(t, l, 0, 4)
	wantAborted(t, l, 9, 9)
	there := 0
	paths, _ := filepath.Glob(filepath.Join(dir, "*"+abortSuffix))
	for _, path := range paths {
		there += len(readFile(t, path))
	}
	if there != 2*abortedWidth {
		t.Fatalf("%v have %d bytes while the log is open, want two entries", paths, there)
	}
	for _, dir := range []string{copyDir(t, dir), dir} {
		closeLog(t, l)
		l = open(t, dir, Config{})
		wantStable(t, l, 9)
		wantAborted(t, l, 0, 9, AbortedTxn{8, 4, 7}, AbortedTxn{7, 6, 8})
	}
}

func TestAMarkerCountsOnceItIsDurable(t *testing.T) {
	l := openWith(t, logDir(t), Config{}, NewSyncer(SyncerConfig{})) // nobody runs it
	appendTo(t, l, txnBatch(t, 7, 0, "a"))
	l.sync()
	wantStable(t, l, 0)
	endTxn(t, l, 7, true)
	wantStable(t, l, 0)
	rose := false
	defer l.Watch(func() { rose = l.LastStable() == 2 })()
	l.sync()
	if wantStable(t, l, 2); !rose {
		t.Fatal("watchers were not told that the last stable offset rose")
	}
}

func TestTransactionsAreFencedAsInKafka(t *testing.T) {
	l := open(t, logDir(t), Config{})
	mark := func(epoch int16, coordinator int32) error {
		_, err := l.AppendMarker(Marker{ProducerID: 7, Epoch: epoch, CoordinatorEpoch: coordinator})
		return err
	}
	appendTo(t, l, txnBatch(t, 7, 0, "a"))
	refuse(t, l, sequenced(t, 7, 0, 1, 1), ErrInvalidTxnState)
	wantDuplicate(t, l, txnBatch(t, 7, 0, "a"), 0)
	if err := mark(0, 5); err != nil {
		t.Fatal(err)
	}
	if err := mark(0, 5); err != nil { // once more, with nothing open
		t.Fatal(err)
	}
	wantErr(t, mark(0, 4), ErrCoordinatorFenced)
	appendTo(t, l, sequenced(t, 7, 0, 1, 1))
	appendTo(t, l, txnBatch(t, 7, 2, "b"))
	if err := mark(1, 5); err != nil { // the coordinator has fenced the producer
		t.Fatal(err)
	}
	wantErr(t, mark(0, 5), ErrInvalidProducerEpoch)
	refuse(t, l, txnBatch(t, 7, 3, "c"), ErrInvalidProducerEpoch)
	if err := mark(1, 6); err != nil {
		t.Fatal(err)
	}
	wantStable(t, l, l.End())
	wantAborted(t, l, 0, 9, AbortedTxn{7, 0, 1}, AbortedTxn{7, 4, 5})
	ps := l.Producers()
	if len(ps) != 1 || ps[0].Epoch != 1 || ps[0].LastSequence != -1 || ps[0].TxnStart != -1 || ps[0].CoordinatorEpoch != 6 {
		t.Fatalf("got %+v", ps)
	}
}

// The broker's own transactional batches, offsets that a group commits, carry no
// sequence.
func TestABatchWithoutSequenceIsTheBrokersOwn(t *testing.T) {
	l := open(t, logDir(t), Config{})
	for i := range 3 {
		if a := appendTo(t, l, txnBatch(t, 7, -1, "offsets")); int(a.Base) != i || a.Duplicate {
			t.Fatalf("batch %d went to %+v", i, a)
		}
	}
	wantStable(t, l, 0)
	if ps := l.Producers(); len(ps) != 1 || ps[0].LastSequence != -1 || ps[0].TxnStart != 0 {
		t.Fatalf("got %+v", ps)
	}
	endTxn(t, l, 7, true)
	wantStable(t, l, 4)
}

func TestAProducerWithAnOpenTransactionIsNeverForgotten(t *testing.T) {
	c := newClock()
	dir := logDir(t)
	l := open(t, dir, Config{Now: c.Now, MaxProducers: 4})
	began := c.now
	appendTo(t, l, txnBatch(t, 7, 0, "a"))
	for id := range int64(30) {
		c.advance(time.Second)
		appendTo(t, l, sequenced(t, 100+id, 0, 0, 1))
	}
	c.advance(30 * 24 * time.Hour)
	retain(t, l, c)
	check := func(l *Log) {
		t.Helper()
		ps, open := l.Producers(), l.OpenTxns()
		if len(ps) != 1 || ps[0].ID != 7 || ps[0].TxnStart != 0 || ps[0].CoordinatorEpoch != -1 {
			t.Fatalf("want producer 7 alone, got %+v", ps)
		}
		if len(open) != 1 || open[0].First != 0 || open[0].ProducerID != 7 || open[0].Since.UnixMilli() != began.UnixMilli() {
			t.Fatalf("want its transaction, got %+v", open)
		}
		wantStable(t, l, 0)
	}
	check(l)
	closeLog(t, l)
	l = open(t, dir, Config{Now: c.Now})
	check(l)
	endTxn(t, l, 7, false)
	c.advance(8 * 24 * time.Hour)
	retain(t, l, c)
	if ps := l.Producers(); len(ps) != 0 {
		t.Fatalf("want nobody left, got %+v", ps)
	}
}

func TestRetentionThatMovesTheLastStableOffsetWakesItsReaders(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{RetentionAge: time.Hour, Now: c.Now})
	appendTo(t, l, txnBatch(t, 7, 0, "open"))
	l.rollNow(t)
	c.advance(2 * time.Hour)
	appendTo(t, l, plain(t, "new"))
	wantStable(t, l, 0)
	seen := record.Offset(-1)
	defer l.Watch(func() { seen = l.LastStable() })()
	retain(t, l, c)
	if wantStable(t, l, 1); seen != 1 {
		t.Fatalf("who watches was last told of %d", seen)
	}
}
