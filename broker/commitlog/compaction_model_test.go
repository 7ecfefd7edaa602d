package commitlog

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// At whatever moment a log is compacted, and at whatever moment of that the power is
// cut, a reader from any offset sees for each key its last value, nothing that was
// never written, everything the compactions have not come to, and the log still
// knows its producers and transactions.
func TestCompactionBehavesLikeTheModelThroughPowerCuts(t *testing.T) {
	var ran atomic.Int64
	t.Cleanup(func() {
		if ran.Load() == 0 {
			t.Error("nothing was ever compacted")
		}
	})
	for seed := range seeds(t, 4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			k := &keyedStory{t: t, rng: rand.New(rand.NewPCG(seed, 3)), dir: logDir(t), fs: crashdisk.New(), clock: newClock()}
			for range 3 {
				k.life()
			}
			ran.Add(k.ran)
		})
	}
}

// keyedRecord is what was written at one offset.
type keyedRecord struct {
	key, value string // value "": a deletion; both "": a marker
}

// keyedStory is a compacted log that lives from crash to crash.
type keyedStory struct {
	t       *testing.T
	rng     *rand.Rand
	dir     string
	fs      *crashdisk.Disk
	clock   *clock
	records []keyedRecord // by offset
	written history       // the same offsets
	last    map[int64]int32
	images  []image
	upTo    record.Offset // the furthest that a compaction has come
	ran     int64
}

func (k *keyedStory) config() Config {
	return Config{SegmentBytes: int64(300 + k.rng.IntN(1200)), IndexInterval: 64, Now: k.clock.Now, Disk: k.fs, Compact: true,
		DeleteRetention: time.Duration(k.rng.IntN(60)) * time.Minute, CompactionBytes: keySlotBytes * (8 << k.rng.IntN(6))}
}

func (k *keyedStory) life() {
	k.t.Helper()
	l := openWith(k.t, k.dir, k.config(), NewSyncer(SyncerConfig{}))
	k.check(l, "at the start")
	k.remember(l)
	for range 25 + k.rng.IntN(30) {
		k.step(l)
	}
	l.sync()
	high := l.HighWatermark()
	dir := powerCut(k.t, k.fs, k.rng, k.dir)
	l.Abandon()
	k.dir = dir
	k.fs = crashdisk.New() // on what the power cut left
	re := openWith(k.t, k.dir, Config{Disk: k.fs, Now: k.clock.Now}, nil)
	if re.End() < high || int(re.End()) > len(k.records) {
		k.t.Fatalf("%d records were durable and %d sent, %d are there", high, len(k.records), re.End())
	}
	k.records, k.written = k.records[:re.End()], k.written[:re.End()]
	k.check(re, "after the cut")
	closeLog(k.t, re)
}

// remember takes the sequences that the log knows, to go on from there.
func (k *keyedStory) remember(l *Log) {
	k.last = map[int64]int32{}
	for _, p := range l.Producers() {
		k.last[p.ID] = p.LastSequence
	}
}

func (k *keyedStory) step(l *Log) {
	k.t.Helper()
	switch n := k.rng.IntN(20); {
	case n < 11:
		k.write(l)
	case n < 13:
		id := 20 + k.rng.Int64N(3)
		commit := k.rng.IntN(2) == 0
		endTxn(k.t, l, id, commit)
		k.records = append(k.records, keyedRecord{})
		k.written.add(1, written{producer: id, marker: true, commit: commit})
	case n < 15:
		l.sync()
	case n < 17:
		l.rollNow(k.t)
	case n < 18:
		k.clock.advance(time.Duration(k.rng.IntN(50)) * time.Minute)
		retain(k.t, l, k.clock)
	default:
		k.compact(l)
	}
}

// write appends one batch of one to three records, of a transaction or not.
func (k *keyedStory) write(l *Log) {
	k.t.Helper()
	id, txn := int64(10+k.rng.IntN(2)), k.rng.IntN(3) == 0
	if txn {
		id += 10
	}
	last, known := k.last[id]
	p := record.Producer{ID: id, Sequence: last + 1}
	if !known {
		p.Sequence = 0
	}
	var pairs []string
	for range 1 + k.rng.IntN(3) {
		r := keyedRecord{key: fmt.Sprintf("k%d", k.rng.IntN(9))}
		pair := r.key
		if k.rng.IntN(4) > 0 {
			r.value = fmt.Sprintf("%d-%s", len(k.records), strings.Repeat("v", k.rng.IntN(60)))
			pair += "=" + r.value
		}
		pairs = append(pairs, pair)
		k.records = append(k.records, r)
		w := written{}
		if txn {
			w.producer = id
		}
		k.written.add(1, w)
	}
	batch := keyed(k.t, p, record.Codec(k.rng.IntN(5)), pairs...)
	if txn {
		record.SetTransactional(batch)
	}
	appendTo(k.t, l, batch)
	k.last[id] = record.AddSequence(p.Sequence, int32(len(pairs)-1))
}

// compact compacts with power cuts at operations on files.
func (k *keyedStory) compact(l *Log) {
	k.t.Helper()
	producers := fmt.Sprint(l.Producers())
	k.fs.SetFault(func(op, path string, n int) (int, error) {
		rare := 8
		if op == "syncdir" || op == "rename" {
			rare = 2
		}
		if k.rng.IntN(rare) == 0 {
			k.images = append(k.images, image{dir: powerCut(k.t, k.fs, k.rng, k.dir), high: l.mu.high, op: op + " " + filepath.Base(path)})
		}
		return n, nil
	})
	stats := compact(k.t, l, k.clock.now)
	k.fs.SetFault(nil)
	if stats.Ran {
		k.ran++
		k.upTo = max(k.upTo, stats.To)
	}
	if now := fmt.Sprint(l.Producers()); now != producers {
		k.t.Fatalf("producers were %s, are %s", producers, now)
	}
	k.check(l, "after compacting")
	for _, i := range k.images {
		re := openWith(k.t, i.dir, Config{Now: k.clock.Now}, nil)
		if re.End() < i.high || int(re.End()) > len(k.records) {
			k.t.Fatalf("cut at %q: %d records were durable, %d are there", i.op, i.high, re.End())
		}
		k.check(re, "cut at "+i.op)
		for _, suffix := range []string{swapSuffix, cleanedSuffix} {
			if left, _ := filepath.Glob(filepath.Join(i.dir, "*"+suffix)); len(left) > 0 {
				k.t.Fatalf("cut at %q: left over %v", i.op, left)
			}
		}
		closeLog(k.t, re)
	}
	k.images = nil
}

// check reads the log from several offsets.
func (k *keyedStory) check(l *Log, when string) {
	k.t.Helper()
	k.written.checkOpen(k.t, l)
	_, aborted := k.written[:l.End()].state()
	hidden, err := l.Aborted(0, l.End())
	if err != nil {
		k.t.Fatal(err)
	}
	for from := record.Offset(0); from <= l.HighWatermark(); from += max(1, l.HighWatermark()/2) {
		k.checkFrom(l, from, aborted, hidden, when)
	}
}

// within says whether a record belongs to one of the aborted transactions.
func (k *keyedStory) within(aborted []AbortedTxn, i record.Offset) bool {
	return slices.ContainsFunc(aborted, func(a AbortedTxn) bool {
		return k.written[i].producer == a.ProducerID && a.First <= i && i <= a.Last
	})
}

// checkFrom reads from one offset; aborted is the truth, hidden what the log says.
func (k *keyedStory) checkFrom(l *Log, from record.Offset, aborted, hidden []AbortedTxn, when string) {
	k.t.Helper()
	got := map[string]record.Offset{}
	there := map[record.Offset]bool{}
	for _, pair := range pairsFrom(k.t, l, from) {
		var at record.Offset
		fmt.Sscanf(pair, "%d:", &at)
		want := fmt.Sprintf("%d:%s", at, k.records[at].key)
		if k.records[at].value != "" {
			want += "=" + k.records[at].value
		}
		if pair != want {
			k.t.Fatalf("%s, read from %d: got %q, %q was written", when, from, pair, want)
		}
		there[at] = true
		if gone := k.within(aborted, at); gone != k.within(hidden, at) {
			k.t.Fatalf("%s, read from %d: record %d is aborted: %t, and handed out as committed: %t", when, from, at, gone, gone)
		} else if !gone {
			got[k.records[at].key] = at
		}
	}
	latest := map[string]record.Offset{}
	for i := from; i < l.HighWatermark(); i++ {
		switch r := k.records[i]; {
		case r.key == "":
		case i >= k.upTo && !there[i] && !k.within(aborted, i):
			k.t.Fatalf("%s, read from %d: record %d is gone, only what lies below %d was compacted", when, from, i, k.upTo)
		case !k.within(aborted, i):
			latest[r.key] = i
		}
	}
	for key, at := range latest {
		if seen, ok := got[key]; ok && seen == at || k.records[at].value == "" && !ok {
			continue
		}
		k.t.Fatalf("%s, read from %d: the latest of %s is at %d, got %d, %t", when, from, key, at, got[key], there[at])
	}
}
