package commitlog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// At whatever moment the power is cut, the log opens, has everything that was
// durable, in order, nothing that was never sent, gives no offset out again, and
// knows each producer's last batch and each batch's epoch.
func TestAfterAPowerCutAllThatWasDurableIsThere(t *testing.T) {
	for seed := range seeds(t, 14) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c := &cuts{t: t, rng: rand.New(rand.NewPCG(seed, 2)), dir: logDir(t), fs: crashdisk.New(), clock: newClock()}
			for life := range int32(5) {
				c.life(life)
			}
		})
	}
}

// cuts is a log that lives from crash to crash.
type cuts struct {
	t        *testing.T
	rng      *rand.Rand
	dir      string
	fs       *crashdisk.Disk
	clock    *clock
	values   []string // by offset
	written  history  // by offset
	sequence int32    // next one of producer 7
	start    record.Offset
	images   []image
}

// image is what a power cut in the middle of an operation left.
type image struct {
	dir         string
	start, high record.Offset // promised before it
	sent        int
	op          string
}

func (c *cuts) life(epoch int32) {
	c.t.Helper()
	cfg := Config{SegmentBytes: int64(500 + c.rng.IntN(3000)), IndexInterval: 64, LeaderEpoch: epoch, Now: c.clock.Now, Disk: c.fs,
		RetentionBytes: int64(c.rng.IntN(2) * 6000), RetentionAge: time.Duration(c.rng.IntN(2)) * time.Hour}
	l := openWith(c.t, c.dir, cfg, NewSyncer(SyncerConfig{}))
	c.check(l)
	c.fs.SetFault(func(op, path string, n int) (int, error) {
		rare := 25
		if op == "rename" || op == "syncdir" {
			rare = 6 // here names and bytes may part
		}
		if c.rng.IntN(rare) == 0 {
			c.images = append(c.images, image{dir: powerCut(c.t, c.fs, c.rng, c.dir), start: c.start, high: l.mu.high, sent: len(c.values), op: op + " " + path})
		}
		return n, nil
	})
	for range c.rng.IntN(40) {
		c.step(l)
	}
	c.fs.SetFault(nil)
	for _, i := range c.images {
		c.checkImage(i)
	}
	c.images = nil
	c.start = l.Start()
	if c.rng.IntN(3) == 0 { // kill -9: all is there, not all of it synced
		l.Abandon()
		return
	}
	high := l.HighWatermark()
	dir := powerCut(c.t, c.fs, c.rng, c.dir)
	l.Abandon()
	c.dir = dir
	c.fs = crashdisk.New() // on what the power cut left
	re := openWith(c.t, c.dir, Config{Disk: c.fs, Now: c.clock.Now}, nil)
	if re.End() < high || int(re.End()) > len(c.values) {
		c.t.Fatalf("%d records were durable and %d sent, %d are there", high, len(c.values), re.End())
	}
	c.values, c.written = c.values[:re.End()], c.written[:re.End()]
	c.sequence = 0
	for _, w := range c.written {
		if w.producer == 0 {
			c.sequence++
		}
	}
	c.check(re)
	closeLog(c.t, re)
}

func (c *cuts) step(l *Log) {
	c.t.Helper()
	var err error
	switch n := c.rng.IntN(20); {
	case n < 7:
		c.append(l)
	case n < 12:
		c.transact(l)
	case n < 16:
		l.sync()
	case n < 17:
		l.rollNow(c.t)
	case n < 18:
		err = l.DeleteBefore(c.start + record.Offset(c.rng.Int64N(int64(l.HighWatermark()-c.start+1))))
	default:
		c.clock.advance(time.Duration(c.rng.IntN(70)) * time.Minute)
		err = l.Retain(c.clock.now)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.start = l.Start()
}

// checkImage opens what a cut inside an operation left; the values of the batch
// that was on its way are not known yet.
func (c *cuts) checkImage(i image) {
	c.t.Helper()
	re := openWith(c.t, i.dir, Config{Now: c.clock.Now}, nil)
	defer re.Close()
	if re.Start() < i.start || re.End() < i.high || int(re.End()) > i.sent+3 {
		c.t.Fatalf("cut at %q: %d to %d were durable and %d sent, %d to %d are there", i.op, i.start, i.high, i.sent, re.Start(), re.End())
	}
	got := readAllValues(c.t, re, re.Start(), 700)
	sameValues(c.t, got, c.values[re.Start():re.End()])
	c.written.check(c.t, re)
}

func (c *cuts) append(l *Log) {
	c.t.Helper()
	values := make([]string, 1+c.rng.IntN(3))
	for i := range values {
		values[i] = fmt.Sprintf("%d-%s", len(c.values)+i, strings.Repeat("y", c.rng.IntN(400)))
	}
	p := record.Producer{ID: 7, Epoch: 1, Sequence: c.sequence}
	a := appendTo(c.t, l, batchOf(c.t, p, 1000, values...))
	if a.Duplicate || int(a.Base) != len(c.values) {
		c.t.Fatalf("batch %d went to %+v", len(c.values), a)
	}
	c.values = append(c.values, values...)
	c.written.add(len(values), written{})
	c.sequence += int32(len(values))
}

// transact writes one record of a transaction, as the broker's own without a
// sequence, or ends one.
func (c *cuts) transact(l *Log) {
	c.t.Helper()
	w := written{producer: 20 + c.rng.Int64N(3), marker: c.rng.IntN(3) == 0, commit: c.rng.IntN(2) == 0}
	value := fmt.Sprintf("%d-%s", len(c.values), strings.Repeat("z", c.rng.IntN(200)))
	if w.marker {
		value = markerValue
		endTxn(c.t, l, w.producer, w.commit)
	} else {
		appendTo(c.t, l, txnBatch(c.t, w.producer, -1, value))
	}
	c.values = append(c.values, value)
	c.written.add(1, w)
}

func (c *cuts) check(l *Log) {
	c.t.Helper()
	if l.Start() != c.start || int(l.End()) != len(c.values) || l.HighWatermark() != l.End() {
		c.t.Fatalf("want %d to %d, got %d to %d", c.start, len(c.values), l.Start(), l.End())
	}
	sameValues(c.t, readAllValues(c.t, l, l.Start(), 700), c.values[c.start:])
	for _, p := range l.Producers() {
		if p.ID == 7 && p.LastSequence != c.sequence-1 {
			c.t.Fatalf("producer's last sequence is %d, %d were written", p.LastSequence, c.sequence)
		}
	}
	c.written.check(c.t, l)
	if len(l.Producers()) == 0 && l.Start() < l.End() {
		c.t.Fatalf("the log has %d to %d and no producer", l.Start(), l.End())
	}
	span, err := l.Read(l.Start(), 1)
	if err != nil {
		c.t.Fatal(err)
	}
	defer span.Release()
	if b, _ := span.AppendTo(nil); len(b) > 0 {
		h, _ := record.ParseHeader(b)
		if e, _ := l.EpochEnd(h.LeaderEpoch); e != h.LeaderEpoch {
			c.t.Fatalf("batch %d has epoch %d, the log knows %d", h.BaseOffset, h.LeaderEpoch, e)
		}
	}
}
