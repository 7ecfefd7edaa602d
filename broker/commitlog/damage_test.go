package commitlog

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// Whatever is flipped, cut off, zeroed or lost in any one file of a log's folder: Open says no and names a file, or
// what is read is right, or the reading says no and names file and position. What is missing was cut and said so.
func TestDamageInAnyFileIsNeverHandedOutAsData(t *testing.T) {
	for seed := range seeds(t, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := newSpoiled(t, rand.New(rand.NewPCG(seed, 9)))
			for range 40 {
				d.once()
			}
		})
	}
}

// spoiled is a log's folder, and the truth about it.
type spoiled struct {
	t     *testing.T
	rng   *rand.Rand
	image string // the folder, sound
	clean bool   // it was closed
	files []string

	values   []string // by offset
	times    []int64
	epochs   []int32
	history  history
	sequence int32 // of producer 7, the next one
	start    record.Offset
}

// newSpoiled makes a log of several segments, epochs, transactions and batches of all sizes.
func newSpoiled(t *testing.T, rng *rand.Rand) *spoiled {
	t.Helper()
	d := &spoiled{t: t, rng: rng, clean: rng.IntN(2) == 0, image: logDir(t)}
	now := func() time.Time { return time.UnixMilli(1000 + 10*int64(len(d.values))) } // of the markers
	for epoch := range int32(3) {
		l := open(t, d.image, Config{SegmentBytes: 1500, IndexInterval: 100, LeaderEpoch: epoch * 3, Now: now})
		for range 12 {
			d.append(l, epoch*3)
		}
		if epoch == 1 {
			d.start = 3
			if err := l.DeleteBefore(d.start); err != nil {
				t.Fatal(err)
			}
		}
		if epoch < 2 || d.clean {
			closeLog(t, l)
		} else {
			d.image = copyDir(t, d.image) // killed
		}
	}
	names, err := os.ReadDir(d.image)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		d.files = append(d.files, n.Name())
	}
	return d
}

func (d *spoiled) append(l *Log, epoch int32) {
	d.t.Helper()
	n, w := 1, written{}
	ms := int64(1000 + 10*len(d.values))
	switch d.rng.IntN(4) {
	case 0, 1:
		n = 1 + d.rng.IntN(5)
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf("%d-%s", len(d.values)+i, strings.Repeat("v", d.rng.IntN(80)))
		}
		appendTo(d.t, l, sealed(d.t, record.Producer{ID: 7, Sequence: d.sequence}, record.Codec(d.rng.IntN(5)), ms, values...))
		d.values, d.sequence = append(d.values, values...), d.sequence+int32(n)
	case 2:
		w.producer = 20 + d.rng.Int64N(2)
		value := fmt.Sprintf("%d of %d", len(d.values), w.producer)
		batch := batchOf(d.t, record.Producer{ID: w.producer, Sequence: -1}, ms, value)
		record.SetTransactional(batch)
		appendTo(d.t, l, batch)
		d.values = append(d.values, value)
	default:
		w = written{producer: 20 + d.rng.Int64N(2), marker: true, commit: d.rng.IntN(2) == 0}
		endTxn(d.t, l, w.producer, w.commit)
		d.values = append(d.values, markerValue)
	}
	for i := range n {
		d.epochs, d.times = append(d.epochs, epoch), append(d.times, ms+int64(i))
	}
	d.history.add(n, w)
}

// once damages one file and looks what becomes of the log.
func (d *spoiled) once() {
	d.t.Helper()
	dir := copyDir(d.t, d.image)
	defer os.RemoveAll(filepath.Dir(dir))
	name := d.files[d.rng.IntN(len(d.files))]
	what := spoil(d.t, d.rng, filepath.Join(dir, name))
	told := fmt.Sprintf("%s of %s (closed: %t)", what, name, d.clean)
	var said strings.Builder // cuts, and what else was missing
	l, err := Open(dir, Config{Disk: unsyncedDisk{}, SegmentBytes: 1500, LeaderEpoch: 9,
		Logger: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))}, nil)
	if err != nil {
		if !strings.Contains(err.Error(), name) {
			d.t.Fatalf("%s: opening is refused without a word of the file: %v", told, err)
		}
		return
	}
	defer l.Close()
	d.check(l, told, said.String(), name)
}

// spoil damages a file in one place and says how.
func spoil(t *testing.T, rng *rand.Rand, path string) string {
	t.Helper()
	b := readFile(t, path)
	at := 0
	if len(b) > 0 {
		at = rng.IntN(len(b))
	}
	what := ""
	switch n := rng.IntN(10); {
	case n == 0:
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return "the loss"
	case n == 1:
		b, what = b[:at], fmt.Sprintf("a cut at byte %d", at)
	case n == 2:
		b, what = append(b, make([]byte, 1+rng.IntN(100))...), "zeros at the end"
	case n == 3 && len(b) > 0:
		end := min(len(b), at+1+rng.IntN(64))
		clear(b[at:end])
		what = fmt.Sprintf("zeros in bytes %d to %d", at, end)
	case len(b) > 0:
		bit := rng.IntN(8)
		b[at] ^= 1 << bit
		what = fmt.Sprintf("a flip of bit %d of byte %d", bit, at)
	}
	writeFile(t, path, b)
	return what
}

// check reads all there is, from everywhere.
func (d *spoiled) check(l *Log, told, said, name string) {
	d.t.Helper()
	start, end := l.Start(), l.End()
	if end > record.Offset(len(d.values)) && name != checkpointFile {
		d.t.Fatalf("%s: the log ends at %d, %d were written", told, end, len(d.values))
	}
	if int(end) < len(d.values) && said == "" {
		d.t.Fatalf("%s: the log ends at %d, %d were written, and nothing was said", told, end, len(d.values))
	}
	if start > d.start && said == "" && !strings.HasPrefix(told, "the loss") {
		d.t.Fatalf("%s: the log starts at %d, it was %d, and nothing was said", told, start, d.start)
	}
	refused := false
	for _, maxBytes := range []int{1, 200, 1 << 20} {
		for from := start; from < end; from += 1 + record.Offset(d.rng.IntN(5)) {
			if err := d.read(l, from, maxBytes); err != nil {
				refused = true
				d.named(err, told)
			}
		}
	}
	d.checkTimes(l, told, refused)
	if !refused && !l.Shortened() { // transactions that began or ended in what is lost are not known
		d.checkTxns(l, told)
	}
	for e := int32(-1); e < 9; e++ {
		got, at := l.EpochEnd(e)
		wantEpoch, wantAt := d.epochEnd(e)
		if at != wantAt && at < end && !(at == start && e < d.epochs[start]) || got > max(wantEpoch, e) {
			d.t.Fatalf("%s: epoch %d ends at %d (%d), want %d (%d)", told, e, at, got, wantAt, wantEpoch)
		}
	}
	before := l.End()
	a, err := l.Append(batchOf(d.t, record.NoProducer, 5000, "more"))
	if err != nil || a.Base != before {
		d.t.Fatalf("%s: the next batch goes to %+v, want %d: %v", told, a, before, err)
	}
}

// named expects an error to name a file and a position, or to be a reader's about a checksum.
func (d *spoiled) named(err error, told string) {
	d.t.Helper()
	var storage *StorageError
	if !errors.As(err, &storage) && !strings.Contains(err.Error(), "unsound") || storage != nil && !strings.Contains(err.Error(), "position") {
		d.t.Fatalf("%s: the error names no place: %v", told, err)
	}
}

// read is one answer to a consumer that checks what it gets by its checksum, as they do.
func (d *spoiled) read(l *Log, from record.Offset, maxBytes int) error {
	d.t.Helper()
	span, err := l.Read(from, maxBytes)
	if err != nil {
		return err
	}
	b, err := span.AppendTo(nil)
	span.Release()
	if err != nil {
		return err
	}
	if len(b) == 0 {
		return fmt.Errorf("nothing to read at %d of %d", from, l.End())
	}
	at := from
	for len(b) > 0 {
		h, err := record.ParseHeader(b)
		if err != nil || h.Size() > len(b) || !record.CheckCRC(b[:h.Size()]) {
			return errors.New("an unsound batch, which its reader refuses")
		}
		if h.BaseOffset > at || h.LastOffset() < at {
			return fmt.Errorf("asked for %d, got %d to %d", at, h.BaseOffset, h.LastOffset())
		}
		if h.LeaderEpoch != d.epochs[h.BaseOffset] {
			return fmt.Errorf("batch %d has leader epoch %d, was written in %d", h.BaseOffset, h.LeaderEpoch, d.epochs[h.BaseOffset])
		}
		var r record.Reader
		err = r.Read(b[:h.Size()], 1<<20, func(rec *record.Record) error {
			if want := d.values[rec.Offset]; string(rec.Value) != want {
				return fmt.Errorf("offset %d is %q, %q was written", rec.Offset, rec.Value, want)
			}
			return nil
		})
		if err != nil {
			return err
		}
		at, b = h.NextOffset(), b[h.Size():]
	}
	return nil
}

// checkTimes looks for times; refused: something could not be read.
func (d *spoiled) checkTimes(l *Log, told string, refused bool) {
	d.t.Helper()
	for i := l.Start(); i < l.End(); i += 3 {
		at, _, err := l.OffsetForTime(d.times[i])
		want := record.Offset(slices.IndexFunc(d.times[l.Start():], func(ms int64) bool { return ms >= d.times[i] })) + l.Start()
		if err != nil {
			d.named(err, told)
		} else if at != want && !refused {
			d.t.Fatalf("%s: time %d is at %d, want %d", told, d.times[i], at, want)
		}
	}
}

func (d *spoiled) checkTxns(l *Log, told string) {
	d.t.Helper()
	defer func() {
		if d.t.Failed() {
			d.t.Logf("after %s", told)
		}
	}()
	d.history.check(d.t, l)
	for _, p := range l.Producers() {
		if p.ID == 7 && int(l.End()) == len(d.values) && p.LastSequence != d.sequence-1 {
			d.t.Fatalf("%s: the last sequence is %d, want %d", told, p.LastSequence, d.sequence-1)
		}
	}
}

func (d *spoiled) epochEnd(epoch int32) (int32, record.Offset) {
	last, end := int32(-1), record.Offset(-1)
	for i, e := range d.epochs {
		if e <= epoch {
			last, end = e, record.Offset(i)+1
		}
	}
	return last, end
}
