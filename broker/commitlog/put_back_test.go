package commitlog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// A log that goes on behind a loss, and the copies that are put back, survive power cuts at any moment of the starts: no
// offset is given out again, and what was taken in stays.
func TestPowerCutsAroundALossGiveNoOffsetOutAgain(t *testing.T) {
	for seed := range seeds(t, 12) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := newLossStory(t, rng.IntN(2) == 0)
		truth := map[record.Offset]string{}
		for i, v := range s.values {
			truth[record.Offset(i)] = v
		}
		var restore []func()
		for _, base := range s.bases[rng.IntN(len(s.bases)):] {
			restore = append(restore, s.take(base, []int{-1, 0, 100}[rng.IntN(3)]))
		}
		given, back := record.Offset(len(s.values)), false
		for life := range 6 {
			given = max(given, s.cutLife(rng, life, truth))
			if !back && rng.IntN(2) == 0 {
				back = true
				for _, put := range restore {
					put()
				}
			}
		}
		l := s.start()
		if l.End() < given {
			t.Fatalf("seed %d: the next record gets offset %d, %d was given out", seed, l.End(), given)
		}
		if back && len(l.Damages()) > 0 {
			t.Fatalf("seed %d: all was put back, and lost is %+v", seed, l.Damages())
		}
		got := valuesAt(t, l)
		for at, want := range truth {
			if v, there := got[at]; there && v != want || !there && back {
				t.Fatalf("seed %d: offset %d reads %q, want %q (put back: %t, log %d to %d)\n%s", seed, at, v, want, back, l.Start(), l.End(), s.said)
			}
		}
		s.kill(l)
	}
}

// cutLife is a start, some records and a power cut, in the middle of it or at its end: then what was acknowledged goes
// into truth. It says which offset comes next for all it knows.
func (s *lossStory) cutLife(rng *rand.Rand, life int, truth map[record.Offset]string) (next record.Offset) {
	s.t.Helper()
	fs, left, image := crashdisk.New(), 1+rng.IntN(60), ""
	fs.SetFault(func(op, path string, n int) (int, error) {
		if left--; left == 0 && strings.Contains(path, "web_log") {
			image = powerCut(s.t, fs, rng, s.dir)
		}
		return n, nil
	})
	l, err := Open(s.dir, Config{Disk: fs, SegmentBytes: 600}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := l.Missing(func(Damage) {}); err != nil {
		s.t.Fatal(err)
	}
	acked := map[record.Offset]string{}
	for i := range rng.IntN(4) {
		v := fmt.Sprintf("%d of life %d", i, life)
		acked[appendTo(s.t, l, plain(s.t, v)).Base] = v
	}
	if image == "" {
		next = l.End()
		maps.Copy(truth, acked)
		image = powerCut(s.t, fs, rng, s.dir)
	}
	l.Abandon()
	// The folder keeps its name, so that copies can be put back.
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Fatal(err)
	}
	if err := os.CopyFS(s.dir, os.DirFS(image)); err != nil {
		s.t.Fatal(err)
	}
	_ = os.RemoveAll(filepath.Dir(image))
	return next
}

// valuesAt is what can be read, by offset.
func valuesAt(t *testing.T, l *Log) map[record.Offset]string {
	t.Helper()
	got := map[record.Offset]string{}
	for at := l.Start(); at < l.End(); at++ {
		span, err := l.Read(at, 1)
		if err != nil {
			wantErr(t, err, ErrDamaged)
			continue
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if err != nil {
			t.Fatal(err)
		}
		var r record.Reader
		if err := r.Read(b, 1<<20, func(rec *record.Record) error { got[rec.Offset] = string(rec.Value); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return got
}
