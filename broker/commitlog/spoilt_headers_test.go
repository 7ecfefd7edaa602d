package commitlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// oneFile is a closed log of twenty batches of three records in one file, with an index entry for every few, and where
// each batch begins in it.
func oneFile(t *testing.T) (dir string, positions []int64) {
	t.Helper()
	cfg := Config{IndexInterval: 200}
	l := open(t, logDir(t), cfg)
	for i := range 20 {
		positions = append(positions, sizeOf(l))
		appendTo(t, l, plain(t, fmt.Sprintf("value %d", i), "and another", "and a third"))
	}
	closeLog(t, l)
	return l.Dir(), positions
}

// wantBefore reads from the log's start in one answer: all batches before the bad one come, and nothing else.
func wantBefore(t *testing.T, l *Log, bad record.Offset) {
	t.Helper()
	span, err := l.Read(l.Start(), 1<<20)
	if err != nil {
		t.Fatalf("what lies before the damage at %d is withheld: %v", bad, err)
	}
	defer span.Release()
	if span.Next != bad || behind(t, span) != bad || !span.More {
		t.Fatalf("the answer goes to %d (%d), more: %t; want all before %d", span.Next, behind(t, span), span.More, bad)
	}
	if _, err := l.Read(bad, 1<<20); !errors.Is(err, ErrDamaged) {
		t.Fatalf("offset %d: %v, want it refused", bad, err)
	}
}

// Whatever byte of a header is wrong: what lies before it is served, by itself; once the file was checked exactly that
// batch is refused, and known at the next start; and a trim up to what the line says gets past it.
func TestAWrongByteInAHeaderCostsThatBatchAlone(t *testing.T) {
	dir, positions := oneFile(t)
	whole := readFile(t, firstLog(dir))
	cfg := Config{IndexInterval: 200}
	for _, batch := range []int{0, 7, len(positions) - 1} {
		for _, at := range []int{0, 3, 7, 8, 9, 10, 11, 15, 16, 17, 21, 23, 26, 40, 57, 60} {
			for _, flip := range []byte{0x01, 0x55, 0x80} {
				t.Run(fmt.Sprintf("batch %d byte %d flip %x", batch, at, flip), func(t *testing.T) {
					dir := copyDir(t, dir)
					b := slices.Clone(whole)
					b[positions[batch]+int64(at)] ^= flip
					writeFile(t, firstLog(dir), b)
					l := open(t, dir, cfg)
					bad := record.Offset(3 * batch)
					if byHeader := at <= 16; byHeader && batch == 7 && (at < 8 || at > 11) {
						wantBefore(t, l, bad)
					}
					_, cause := l.Read(bad, 1)
					var found []Damage
					wait := func(context.Context, int) error { return nil }
					if err := l.CheckAgain(t.Context(), bad, cause, wait, func(d Damage) { found = append(found, d) }); err != nil {
						t.Fatal(err)
					}
					if len(found) != 1 || found[0].From != bad || found[0].To != bad+3 || found[0].Position != positions[batch] {
						t.Fatalf("found %+v, want offsets %d to %d at %d", found, bad, bad+2, positions[batch])
					}
					wantOnlyRefused(t, l, bad, bad+3)
					closeLog(t, l)
					l = open(t, dir, cfg)
					wantOnlyRefused(t, l, bad, bad+3)
					if err := l.Recheck(t.Context(), wait, func(d Damage) {}); err != nil || !slices.Equal(l.Damages(), found) {
						t.Fatalf("%v, known after the start: %+v", err, l.Damages())
					}
					if err := l.DeleteBefore(bad + 3); err != nil {
						t.Fatal(err)
					}
					for range 2 {
						if len(l.Damages()) > 0 {
							t.Errorf("given up, and known yet: %+v", l.Damages())
						}
						wantOnlyRefused(t, l, -1, -1)
						if _, _, err := l.OffsetForTime(1000); err != nil {
							t.Errorf("given up, and in the way of who looks for a time: %v", err)
						}
						if found, _ := scrubbed(t, l); len(found) > 0 {
							t.Errorf("given up, and told again: %+v", found)
						}
						closeLog(t, l)
						l = open(t, dir, cfg)
					}
				})
			}
		}
	}
}

// Damage in several places, side by side and apart: what lies between is served.
func TestSoundBatchesBetweenDamagedOnesAreServed(t *testing.T) {
	dir, positions := oneFile(t)
	b := readFile(t, firstLog(dir))
	b[positions[4]+8] ^= 0x20   // a length that leads far behind the file
	b[positions[5]+30] ^= 1     // and its neighbour's checksum
	b[positions[9]+7] ^= 0x55   // an offset
	b[positions[12]+11] ^= 0x11 // a length that leads into the middle of another
	writeFile(t, firstLog(dir), b)
	l := open(t, dir, Config{IndexInterval: 200})
	found, _ := scrubbed(t, l)
	var got [][2]record.Offset
	for _, d := range found {
		got = append(got, [2]record.Offset{d.From, d.To})
	}
	if want := [][2]record.Offset{{12, 18}, {27, 30}, {36, 39}}; !slices.Equal(got, want) {
		t.Fatalf("found %+v, want %v", found, want)
	}
	for at := range l.End() {
		bad := at >= 12 && at < 18 || at >= 27 && at < 30 || at >= 36 && at < 39
		span, err := l.Read(at, 1<<20)
		if bad != errors.Is(err, ErrDamaged) {
			t.Fatalf("offset %d: %v", at, err)
		}
		if err != nil {
			continue
		}
		want := l.End()
		for _, edge := range []record.Offset{36, 27, 12} {
			if at < edge {
				want = edge
			}
		}
		if span.Base > at || span.Next != want || behind(t, span) != want {
			t.Fatalf("offset %d: from %d to %d, want up to %d", at, span.Base, span.Next, want)
		}
		span.Release()
	}
}

// A start looks at the ends of files alone, and is as exact there.
func TestAStartNamesExactlyWhatIsBadAtTheEndOfAFile(t *testing.T) {
	for _, fromEnd := range []int{1, 2} {
		for _, at := range []int64{7, 8, 11, 16} {
			l, _ := several(t)
			s, next := l.mu.segments[1], l.mu.segments[2].base
			bad := next - record.Offset(2*fromEnd)
			span, err := l.Read(bad, 1)
			if err != nil {
				t.Fatal(err)
			}
			path, pos := span.File.Name(), span.Position
			span.Release()
			closeLog(t, l)
			b := readFile(t, path)
			b[pos+at] ^= 0x41
			writeFile(t, path, b)
			l = open(t, l.Dir(), Config{SegmentBytes: 400})
			var found []Damage
			tell := func(d Damage) { found = append(found, d) }
			if err := l.Missing(tell); err != nil {
				t.Fatal(err)
			}
			for _, d := range found {
				if d.Lost || d.From != bad || d.To != bad+2 || d.Position != pos || d.segment != s.base {
					t.Errorf("byte %d of the batch at %d: %+v", at, bad, d)
				}
			}
			if at != 7 && len(found) != 1 { // a wrong offset is seen where it makes a gap, and by who reads it
				t.Errorf("byte %d of the batch at %d: found %+v", at, bad, found)
			}
			scrubbed(t, l)
			wantOnlyRefused(t, l, bad, bad+2)
		}
	}
}
