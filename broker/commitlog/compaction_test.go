package commitlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// keyed seals one batch of "key=value" pairs; without "=" it is the key's deletion,
// and "=value" has no key.
func keyed(t testing.TB, p record.Producer, codec record.Codec, pairs ...string) []byte {
	t.Helper()
	b := record.NewBuilder(0)
	for i, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			b.AppendTombstone(int64(i), []byte(key))
		case key == "":
			b.Append(int64(i), nil, []byte(value), 0, nil)
		default:
			b.Append(int64(i), []byte(key), []byte(value), 0, nil)
		}
	}
	batch, err := b.Seal(nil, p, codec, 1000, 1000+int64(len(pairs)-1))
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func put(t testing.TB, l *Log, pairs ...string) {
	t.Helper()
	appendTo(t, l, keyed(t, record.NoProducer, record.None, pairs...))
}

func compact(t testing.TB, l *Log, now time.Time) CompactStats {
	t.Helper()
	stats, err := l.Compact(context.Background(), now)
	if err != nil {
		t.Fatalf("compacting: %v", err)
	}
	return stats
}

// pairsFrom is the records from an offset on as "offset:key=value", with headers of
// batches and offsets held to be sound.
func pairsFrom(t testing.TB, l *Log, from record.Offset) []string {
	t.Helper()
	var out []string
	var r record.Reader
	for at := from; ; {
		span, err := l.Read(at, 300)
		if err != nil {
			t.Fatal(err)
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 {
			return out
		}
		for len(b) > 0 {
			h, err := record.ParseHeader(b)
			if err != nil || h.Size() > len(b) || h.LastOffset() < at || !record.CheckCRC(b[:h.Size()]) {
				t.Fatalf("reading from %d: unsound batch %+v, %v", at, h, err)
			}
			err = r.Read(b[:h.Size()], 1<<20, func(rec *record.Record) error {
				switch {
				case rec.Offset < at || h.Control():
				case rec.Value == nil:
					out = append(out, fmt.Sprintf("%d:%s", rec.Offset, rec.Key))
				default:
					out = append(out, fmt.Sprintf("%d:%s=%s", rec.Offset, rec.Key, rec.Value))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			at, b = h.NextOffset(), b[h.Size():]
		}
	}
}

func wantPairs(t testing.TB, l *Log, want ...string) {
	t.Helper()
	sameValues(t, pairsFrom(t, l, l.Start()), want)
}

func compacting(c *clock) Config {
	return Config{Compact: true, DeleteRetention: time.Hour, Now: c.Now, IndexInterval: 50}
}

func TestCompactionKeepsTheLatestOfEachKeyAndItsOffset(t *testing.T) {
	c := newClock()
	dir := logDir(t)
	l := open(t, dir, compacting(c))
	put(t, l, "a=1", "b=1", "c=1")
	put(t, l, "a=2", "=lost", "b=2")
	l.rollNow(t)
	put(t, l, "a=3")
	l.rollNow(t)
	put(t, l, "c=9")
	before := l.Size()
	stats := compact(t, l, c.now)
	if !stats.Ran || stats.To != 7 || stats.Records != 7 || stats.Kept != 3 || stats.Segments != 2 || stats.Left != 1 || l.Size() >= before {
		t.Fatalf("got %+v, %d bytes of %d", stats, l.Size(), before)
	}
	want := []string{"2:c=1", "5:b=2", "6:a=3", "7:c=9"} // the active segment's c is not known of
	check := func(l *Log) {
		t.Helper()
		wantSegments(t, l, 0, 7)
		wantPairs(t, l, want...)
		for from := range record.Offset(9) {
			var behind []string
			for _, w := range want {
				var at record.Offset
				if fmt.Sscanf(w, "%d:", &at); at >= from {
					behind = append(behind, w)
				}
			}
			sameValues(t, pairsFrom(t, l, from), behind)
		}
		if at, ms, err := l.OffsetForTime(1001); at != 2 || ms != 1002 || err != nil {
			t.Fatalf("the first record at 1001 or later: got %d at %d, %v", at, ms, err)
		}
	}
	check(l)
	if stats := compact(t, l, c.now); stats.Ran {
		t.Fatalf("nothing is new, but %+v", stats)
	}
	check(open(t, copyDir(t, dir), compacting(c)))
	closeLog(t, l)
	l = open(t, dir, compacting(c))
	check(l)
	if stats := compact(t, l, c.now); stats.Ran {
		t.Fatalf("nothing is new after a restart, but %+v", stats)
	}
}

func TestADeletionIsKeptSoLongThatEveryReaderMeetsIt(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), compacting(c))
	pass := func() {
		t.Helper()
		l.rollNow(t)
		put(t, l, "x=1")
		l.rollNow(t)
		if !compact(t, l, c.now).Ran {
			t.Fatal("it did not run")
		}
	}
	put(t, l, "a=1", "b=1")
	put(t, l, "a")
	pass()
	wantPairs(t, l, "1:b=1", "2:a", "3:x=1")
	c.advance(59 * time.Minute)
	pass()
	wantPairs(t, l, "1:b=1", "2:a", "4:x=1")
	c.advance(2 * time.Minute) // an hour after the first compaction met it
	pass()
	wantPairs(t, l, "1:b=1", "5:x=1")
}

// batches is every batch of a log as "first-last/records".
func batches(t testing.TB, l *Log) (out []string) {
	t.Helper()
	for _, s := range l.mu.segments {
		err := s.walk(0, s.size, func(_ *handle, _ int64, h record.Header) error {
			out = append(out, fmt.Sprintf("%d-%d/%d", h.BaseOffset, h.LastOffset(), h.Count))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// transactionsToCompact is a log whose producers 7 and 9 have aborted.
func transactionsToCompact(t *testing.T, c *clock) *Log {
	t.Helper()
	l := open(t, logDir(t), compacting(c))
	txn := func(id int64, sequence int32, pairs ...string) {
		t.Helper()
		b := keyed(t, record.Producer{ID: id, Sequence: sequence}, record.Gzip, pairs...)
		record.SetTransactional(b)
		appendTo(t, l, b)
	}
	put(t, l, "a=1", "b=1")
	txn(7, 0, "a=aborted")
	txn(8, 0, "b=2")
	endTxn(t, l, 7, false)
	endTxn(t, l, 8, true)
	txn(7, 1, "c=1")
	endTxn(t, l, 7, true)
	txn(9, 0, "d=open")
	l.rollNow(t)
	txn(9, 1, "d=2")
	l.rollNow(t)
	put(t, l, "z=1")
	if stats := compact(t, l, c.now); stats.Ran {
		t.Fatalf("the first segment holds the last stable offset, but %+v", stats)
	}
	endTxn(t, l, 9, false)
	l.rollNow(t)
	return l
}

func TestAbortedRecordsGoAndMarkersFollow(t *testing.T) {
	c := newClock()
	l := transactionsToCompact(t, c)
	compact(t, l, c.now)
	wantAborted(t, l, 0, l.End(), AbortedTxn{7, 2, 4}, AbortedTxn{9, 8, 11}) // one compaction longer than their records
	// 9-9 is empty, for the sequence of producer 9; all markers are there.
	sameValues(t, batches(t, l), []string{"0-1/1", "3-3/1", "4-4/1", "5-5/1", "6-6/1", "7-7/1", "9-9/0", "10-10/1", "11-11/1"})
	sameValues(t, committedValues(t, l, 0), []string{"1", "2", "1", "1"})
	again := func() {
		t.Helper()
		c.advance(2 * time.Hour)
		put(t, l, "z=1")
		l.rollNow(t)
		compact(t, l, c.now)
	}
	again() // finds that the marker at 4 is alone
	if got := fmt.Sprint(batches(t, l)); !strings.Contains(got, " 4-4/1") {
		t.Fatalf("batches are %s: the marker at 4 is gone at once", got)
	}
	again() // finds that its time has passed
	if got := fmt.Sprint(batches(t, l)); strings.Contains(got, " 4-4/") || !strings.Contains(got, " 11-11/1") {
		t.Fatalf("batches are %s: want the marker at 4 gone and the one at 11, which has a batch, kept", got)
	}
	wantAborted(t, l, 0, 8)
	sameValues(t, committedValues(t, l, 0), []string{"1", "2", "1", "1"})
}

func TestSequencesSurviveTheCompactionOfTheirBatches(t *testing.T) {
	c := newClock()
	l := transactionsToCompact(t, c)
	producers := l.Producers()
	compact(t, l, c.now)
	re := open(t, copyDir(t, l.Dir()), compacting(c))
	if fmt.Sprint(re.Producers()) != fmt.Sprint(producers) {
		t.Fatalf("producers are %+v, were %+v", re.Producers(), producers)
	}
	sameValues(t, committedValues(t, re, 0), []string{"1", "2", "1", "1"})
	// Without the snapshot, what is left in the log still knows them.
	dir := copyDir(t, l.Dir())
	if err := os.Remove(filepath.Join(dir, producersFile)); err != nil {
		t.Fatal(err)
	}
	re = open(t, dir, compacting(c))
	for i, p := range re.Producers() {
		if p.LastSequence != producers[i].LastSequence || p.TxnStart != -1 {
			t.Fatalf("producers are %+v, were %+v", re.Producers(), producers)
		}
	}
	sameValues(t, committedValues(t, re, 0), []string{"1", "2", "1", "1"})
}

func TestCompactionWaitsUntilItIsWorthWhile(t *testing.T) {
	c := newClock()
	cfg := compacting(c)
	cfg.DirtyRatio, cfg.CompactionLag = 0.6, 10*time.Minute
	l := open(t, logDir(t), cfg)
	put(t, l, "a=1")
	l.rollNow(t)
	put(t, l, "a=2")
	l.rollNow(t)
	if compact(t, l, c.now).Ran {
		t.Fatal("it ran on segments younger than the lag")
	}
	c.advance(11 * time.Minute)
	if !compact(t, l, c.now).Ran {
		t.Fatal("it did not run")
	}
	wantPairs(t, l, "1:a=2")
	put(t, l, "a=3")
	l.rollNow(t)
	c.advance(11 * time.Minute)
	if compact(t, l, c.now).Ran {
		t.Fatal("it ran though half of the bytes are clean")
	}
	cfg.MaxCompactionLag = 5 * time.Minute
	if err := l.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	if !compact(t, l, c.now).Ran {
		t.Fatal("it did not run on a segment older than the longest lag")
	}
	wantPairs(t, l, "2:a=3")
	put(t, l, "a=4")
	c.advance(6 * time.Minute)
	retain(t, l, c) // rolls the active segment, which is older than the longest lag
	c.advance(5 * time.Minute)
	compact(t, l, c.now)
	wantPairs(t, l, "3:a=4")
	cfg.Compact = false
	if err := l.SetConfig(cfg); err != nil {
		t.Fatal(err)
	}
	put(t, l, "a=5")
	l.rollNow(t)
	c.advance(time.Hour)
	if compact(t, l, c.now).Ran {
		t.Fatal("it ran without being asked to")
	}
}

func TestGapsAreNoDamageToARecovery(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), compacting(c))
	put(t, l, "a=1")
	put(t, l, "a=2")
	put(t, l, "a=3")
	l.rollNow(t)
	compact(t, l, c.now)
	cfg := compacting(c)
	cfg.Cut = func(cut Cut) { t.Errorf("nothing was torn, but %s", cut) }
	wantPairs(t, open(t, copyDir(t, l.Dir()), cfg), "2:a=3")
	put(t, l, "b=1")
	dir := copyDir(t, l.Dir())
	if err := os.Remove(filepath.Join(dir, checkpointFile)); err != nil {
		t.Fatal(err)
	}
	wantPairs(t, open(t, dir, cfg), "2:a=3", "3:b=1")
}

func TestASmallKeyMapCompactsInSeveralTurns(t *testing.T) {
	c := newClock()
	cfg := compacting(c)
	cfg.CompactionBytes = 24 * 16 // room for 12 keys
	l := open(t, logDir(t), cfg)
	for round := range 3 {
		for i := range 30 {
			put(t, l, fmt.Sprintf("k%d=%d", i, round))
		}
	}
	l.rollNow(t)
	put(t, l, "active=1")
	turns := 0
	for compact(t, l, c.now).Ran {
		if turns++; turns > 90 {
			t.Fatal("it never ends")
		}
	}
	if got := pairsFrom(t, l, 0); turns < 3 || len(got) != 31 || got[0] != "60:k0=2" || got[29] != "89:k29=2" {
		t.Fatalf("after %d turns %d are left: %v", turns, len(got), got)
	}
}

func TestReadersAndDamageDuringACompaction(t *testing.T) {
	c := newClock()
	dir := logDir(t)
	l := open(t, dir, compacting(c))
	put(t, l, "a=1")
	put(t, l, "a=2")
	l.rollNow(t)
	put(t, l, "a=3")
	held, err := l.Read(0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	compact(t, l, c.now)
	if b, err := held.AppendTo(nil); err != nil || !strings.Contains(string(b), "a\x021") {
		t.Fatalf("a span from before is not readable: %q, %v", b, err)
	}
	held.Release()
	l.rollNow(t)
	put(t, l, "b=1")
	path := filepath.Join(dir, segmentName(2, logSuffix))
	b := readFile(t, path)
	b[len(b)-2] ^= 1
	writeFile(t, path, b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Compact(ctx, c.now); !errors.Is(err, context.Canceled) {
		t.Fatalf("it did not give way: %v", err)
	}
	if _, err := l.Compact(context.Background(), c.now); err == nil || !strings.Contains(err.Error(), "bad CRC") {
		t.Fatalf("a damaged segment was compacted: %v", err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*"+cleanedSuffix)); len(names) != 0 {
		t.Fatalf("left behind: %v", names)
	}
}
