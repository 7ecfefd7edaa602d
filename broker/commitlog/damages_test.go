package commitlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// flipInRecords spoils a byte of the batch at an offset, and says how to mend it.
func flipInRecords(t *testing.T, l *Log, at record.Offset) (mend func()) {
	t.Helper()
	span, err := l.Read(at, 1)
	if err != nil {
		t.Fatal(err)
	}
	path, pos := span.File.Name(), span.Position+int64(span.Length)-3
	span.Release()
	b := readFile(t, path)
	b[pos] ^= 4
	writeFile(t, path, b)
	return func() { b[pos] ^= 4; writeFile(t, path, b) }
}

// wantOnlyRefused reads from everywhere, in answers of all sizes: exactly those batches are refused, and no answer holds a
// byte of them.
func wantOnlyRefused(t *testing.T, l *Log, from, to record.Offset) {
	t.Helper()
	for _, maxBytes := range []int{1, 200, 1 << 20} {
		for at := l.Start(); at < l.End(); at++ {
			span, err := l.Read(at, maxBytes)
			if at >= from && at < to {
				var storage *StorageError
				if !errors.Is(err, ErrDamaged) || !errors.As(err, &storage) || !strings.Contains(err.Error(), "position") {
					t.Fatalf("offset %d, %d bytes: %v, want it refused with its place", at, maxBytes, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("offset %d, %d bytes: %v", at, maxBytes, err)
			}
			if span.Length == 0 || at < from && span.Next > from {
				t.Fatalf("offset %d, %d bytes: %d bytes, up to %d, more: %t", at, maxBytes, span.Length, span.Next, span.More)
			}
			b, err := span.AppendTo(nil)
			span.Release()
			for len(b) > 0 && err == nil {
				h, herr := record.ParseHeader(b)
				if herr != nil || !record.CheckCRC(b[:h.Size()]) {
					t.Fatalf("offset %d, %d bytes: a damaged batch was handed out: %v", at, maxBytes, herr)
				}
				b = b[h.Size():]
			}
		}
	}
}

func TestWhatTheScrubFoundDamagedIsNotServedNorAfterAStart(t *testing.T) {
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		t.Run(name, func(t *testing.T) {
			l, _ := several(t)
			at := l.mu.segments[1].base + 2
			l.writePoint()
			flipInRecords(t, l, at)
			if found, _ := scrubbed(t, l); len(found) != 1 || found[0].From != at {
				t.Fatalf("found %+v", found)
			}
			wantOnlyRefused(t, l, at, at+2)
			dir := l.Dir()
			if closed {
				closeLog(t, l)
			} else {
				dir = copyDir(t, dir)
				l.Abandon()
			}
			l = open(t, dir, Config{SegmentBytes: 400, RecheckBytes: 1}) // or it would be in what is cut
			wantOnlyRefused(t, l, at, at+2)
		})
	}
}

func TestADamagedBatchIsServedAgainOnceItsFileIsMended(t *testing.T) {
	l, _ := several(t)
	at := l.mu.segments[1].base + 2
	mend := flipInRecords(t, l, at)
	scrubbed(t, l)
	closeLog(t, l)
	mend()
	l = open(t, l.Dir(), Config{SegmentBytes: 400})
	wantOnlyRefused(t, l, at, at+2) // until it was looked at
	if err := l.Recheck(t.Context(), func(context.Context, int) error { return nil }, func(d Damage) { t.Errorf("found %+v", d) }); err != nil {
		t.Fatal(err)
	}
	wantOnlyRefused(t, l, -1, -1)
	closeLog(t, l)
	l = open(t, l.Dir(), Config{SegmentBytes: 400})
	wantOnlyRefused(t, l, -1, -1)
}

func TestATrimGetsPastDamage(t *testing.T) {
	l, _ := several(t)
	at := l.mu.segments[1].base + 2
	flipInRecords(t, l, at)
	scrubbed(t, l)
	if err := l.DeleteBefore(at + 2); err != nil {
		t.Fatal(err)
	}
	if d := l.Damages(); len(d) > 0 {
		t.Errorf("%+v", d)
	}
	wantOnlyRefused(t, l, -1, -1)
	closeLog(t, l)
	wantOnlyRefused(t, open(t, l.Dir(), Config{SegmentBytes: 400}), -1, -1)
}

// What is written down is read again as it was, whatever the reasons say, and never more than fits.
func TestDamagesAreRememberedAsTheyWere(t *testing.T) {
	l, _ := several(t)
	s := l.mu.segments[1]
	var list []Damage
	for i := range record.Offset(maxDamages + 50) {
		list = append(list, l.damageOf(s, int64(i), 2*i, 2*i+1, "read /a/b: input/output\nerror 100 %"))
	}
	l.noteDamages(func([]Damage) []Damage { return append(list, l.lostBehind(nil, 0, 1, "the first file is missing")) })
	want := l.damages.all()
	if len(want) != maxDamages || want[maxDamages-1].To != 2*(maxDamages+50)-1 {
		t.Fatalf("%d are kept, the last is %+v", len(want), want[len(want)-1])
	}
	again := &Log{dir: l.dir, name: l.name, fs: l.fs}
	again.mu.cfg = Config{}.filled()
	again.loadDamages()
	for i, d := range again.damages.all() {
		w := want[i]
		if w.Reason = strings.ReplaceAll(w.Reason, "\n", " "); d != w {
			t.Fatalf("%+v became %+v", w, d)
		}
	}
	b := readFile(t, filepath.Join(l.dir, damagedFile))
	flipped := slices.Clone(b)
	flipped[40] ^= 1
	for _, spoilt := range [][]byte{nil, b[:len(b)/2], flipped, []byte("commitlog-damaged 1\ncrc 1\n")} {
		if got, err := again.parseDamages(spoilt); err == nil {
			t.Errorf("%d spoilt bytes are taken for %d damages", len(spoilt), len(got))
		}
	}
}

// A compaction joins segments, and allows for gaps between their batches: a hole would become one of those.
func TestALogWithAHoleIsNotCompacted(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), compacting(c))
	for i := range 4 {
		put(t, l, "a="+fmt.Sprint(i), "b="+fmt.Sprint(i))
		l.rollNow(t)
	}
	path := l.mu.segments[1].path(logSuffix)
	closeLog(t, l)
	b := readFile(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l = open(t, l.Dir(), compacting(c)) // nobody has looked for what is missing yet
	if stats, err := l.Compact(t.Context(), c.now); err != nil || stats.Ran {
		t.Errorf("it was compacted: %+v, %v", stats, err)
	}
	(&lossStory{t: t}).wantHole(l, 2, 4)
	closeLog(t, l)
	writeFile(t, path, b)
	l = open(t, l.Dir(), compacting(c))
	if stats, err := l.Compact(t.Context(), c.now); err != nil || !stats.Ran {
		t.Errorf("it was not compacted: %+v, %v", stats, err)
	}
	wantOnlyRefused(t, l, -1, -1)
}
