package commitlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// sixKeys is a compaction whose map holds six keys.
func sixKeys(c *clock) Config {
	cfg := compacting(c)
	cfg.CompactionBytes = 8 * keySlotBytes
	return cfg
}

// putEach writes one batch for each of n keys of that name.
func putEach(t *testing.T, l *Log, name string, n int) {
	t.Helper()
	for i := range n {
		put(t, l, fmt.Sprintf("%s%d=1", name, i))
	}
}

func wantThere(t *testing.T, l *Log, pair string, there bool) {
	t.Helper()
	if got := pairsFrom(t, l, l.Start()); strings.Contains(fmt.Sprint(got)+" ", pair+" ") != there && strings.Contains(fmt.Sprint(got), pair+"]") != there {
		t.Fatalf("want %q there: %t, got %q", pair, there, got)
	}
}

// The time that a deletion stays begins with the compaction that takes the values
// before it away, not with one that only came by before its keys filled the map.
func TestADeletionThatAPartialCompactionDidNotReachBeginsItsTimeLater(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), sixKeys(c))
	put(t, l, "a=1")
	putEach(t, l, "k", 6)
	put(t, l, "a")
	l.rollNow(t)
	put(t, l, "z=1")
	if stats := compact(t, l, c.now); stats.To > 7 {
		t.Fatalf("the map took all keys: %+v", stats)
	}
	wantThere(t, l, "0:a=1", true)
	c.advance(2 * time.Hour)
	compact(t, l, c.now)
	wantThere(t, l, "0:a=1", false)
	wantThere(t, l, "7:a", true) // a reader that has just read a=1 meets it
	c.advance(2 * time.Hour)
	put(t, l, "z=2")
	l.rollNow(t)
	compact(t, l, c.now)
	wantThere(t, l, "7:a", false)
}

// A deletion whose time has passed stays while the values before it do, that is as
// long as the keys in the map do not reach up to it.
func TestADeletionBehindWhatAPartialCompactionKnowsStays(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), sixKeys(c))
	put(t, l, "a=1")
	putEach(t, l, "k", 6)
	var s record.Sieve
	old, _, err := s.Sift(nil, keyed(t, record.NoProducer, record.None, "a"), 1<<20, c.now.Add(-time.Hour).UnixMilli(), false, func(*record.Record) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, old)
	put(t, l, "=without a key")
	l.rollNow(t)
	put(t, l, "z=1")
	if stats := compact(t, l, c.now); !stats.Ran || stats.To > 7 {
		t.Fatalf("want a compaction of the first keys: %+v", stats)
	}
	wantThere(t, l, "0:a=1", true)
	wantThere(t, l, "7:a", true)
	wantThere(t, l, "8:=without a key", true)
}

// A batch with more keys than the map has room for is compacted in parts, within the
// memory that was given.
func TestABatchWithMoreKeysThanTheMapHolds(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), sixKeys(c))
	var pairs []string
	for i := range 20 {
		pairs = append(pairs, fmt.Sprintf("k%d=1", i))
	}
	put(t, l, pairs...)
	put(t, l, pairs...)
	l.rollNow(t)
	put(t, l, "z=1")
	turns := 0
	for stats := compact(t, l, c.now); stats.Ran; stats = compact(t, l, c.now) {
		if turns++; stats.To-stats.From > 6 || turns > 10 {
			t.Fatalf("turn %d had more keys than there was room for: %+v", turns, stats)
		}
	}
	if got := pairsFrom(t, l, 0); len(got) != 21 || got[0] != "20:k0=1" {
		t.Fatalf("after %d turns: %q", turns, got)
	}
}

// What unpacks to more than a compaction takes on is left as it is, and with it the
// deletions of what may lie in it.
func TestABatchThatUnpacksToTooMuchKeepsTheDeletionsBehindIt(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), compacting(c))
	b := record.NewBuilder(0)
	b.Append(0, []byte("a"), make([]byte, mostUnpacked), 0, nil)
	bomb, err := b.Seal(nil, record.NoProducer, record.Zstd, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, l, bomb)
	put(t, l, "a")
	for i := range 3 {
		put(t, l, fmt.Sprintf("z=%d", i))
		l.rollNow(t)
		compact(t, l, c.now)
		c.advance(2 * time.Hour)
	}
	if got := batches(t, l); len(got) < 2 || got[0] != "0-0/1" || got[1] != "1-1/1" {
		t.Fatalf("batches are %q: want the first two as they were", got)
	}
}

// How far a log was compacted is not believed when the log has lost that end.
func TestWhatIsWrittenAgainAfterALossIsCompactedAgain(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), compacting(c))
	put(t, l, "a=1")
	put(t, l, "b=1")
	l.rollNow(t)
	put(t, l, "c=1")
	l.rollNow(t)
	put(t, l, "d=1")
	compact(t, l, c.now)
	dir := copyDir(t, l.Dir())
	for _, name := range []string{checkpointFile, producersFile, segmentName(3, logSuffix)} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, segmentName(0, logSuffix))
	writeFile(t, path, readFile(t, path)[:100]) // one batch, and a torn one
	re := open(t, dir, compacting(c))
	wantPairs(t, re, "0:a=1")
	put(t, re, "a=2")
	put(t, re, "a=3")
	re.rollNow(t)
	put(t, re, "z=1")
	closeLog(t, re)
	re = open(t, dir, compacting(c))
	compact(t, re, c.now)
	wantPairs(t, re, "2:a=3", "3:z=1")
}
