package commitlog

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// scrubbed reads a whole log as the scrub does and answers what was found and how many bytes were read.
func scrubbed(t *testing.T, l *Log) (found []Damage, bytes int64) {
	t.Helper()
	wait := func(_ context.Context, n int) error {
		bytes += int64(n)
		return nil
	}
	next, more := record.Offset(0), true
	for calls := 0; more; calls++ {
		if calls > 1000 {
			t.Fatal("it never ends")
		}
		before := next
		var err error
		if next, more, err = l.Scrub(t.Context(), next, wait, func(d Damage) { found = append(found, d) }); err != nil {
			t.Fatal(err)
		}
		if more && next <= before {
			t.Fatalf("from offset %d it goes on at %d", before, next)
		}
	}
	return found, bytes
}

// several is a log of several segments, and what they have in bytes.
func several(t *testing.T) (*Log, int64) {
	t.Helper()
	l := open(t, logDir(t), Config{SegmentBytes: 400})
	for i := range 20 {
		appendTo(t, l, plain(t, fmt.Sprintf("value %d", i), "and another"))
	}
	if len(l.mu.segments) < 4 {
		t.Fatalf("%d segments", len(l.mu.segments))
	}
	return l, sizeOf(l)
}

func sizeOf(l *Log) (n int64) {
	for _, s := range l.Segments() {
		n += s.Size
	}
	return n
}

func TestASoundLogIsReadWholeAndFoundSound(t *testing.T) {
	l, size := several(t)
	if found, n := scrubbed(t, l); len(found) > 0 || n != size {
		t.Errorf("read %d of %d bytes and found %v", n, size, found)
	}
	c := newClock()
	l = open(t, logDir(t), compacting(c))
	put(t, l, "a=1", "b=1")
	put(t, l, "a=2", "b=2")
	l.rollNow(t)
	put(t, l, "c=1")
	compact(t, l, c.now)
	if found, n := scrubbed(t, l); len(found) > 0 || n != sizeOf(l) {
		t.Errorf("compacted: read %d of %d bytes and found %v", n, sizeOf(l), found)
	}
}

// Whatever bit is flipped, wherever: it is found, and the place named; the file stays as it is.
func TestAFlippedBitAnywhereIsFound(t *testing.T) {
	l, _ := several(t)
	closeLog(t, l)
	l = open(t, l.Dir(), Config{SegmentBytes: 400}) // now the recovery point knows the epochs
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		s := l.mu.segments[rng.IntN(len(l.mu.segments))]
		path := s.path(logSuffix)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) == 0 {
			continue
		}
		at, bit := rng.IntN(len(whole)), rng.IntN(8)
		bad := append([]byte(nil), whole...)
		bad[at] ^= 1 << bit
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		found, _ := scrubbed(t, l)
		if len(found) == 0 {
			t.Errorf("a flip of bit %d of byte %d of %s was not found", bit, at, s.name())
			continue
		}
		d := found[0]
		if d.Path != path || d.Position > int64(at) || d.From < s.base || d.To <= d.From || d.Log != l.Name() {
			t.Errorf("a flip of byte %d of %s is told as %+v", at, s.name(), d)
		}
		if line := d.String(); !strings.Contains(line, path) || !strings.Contains(line, fmt.Sprintf("position %d", d.Position)) || !strings.Contains(line, "put back a copy") {
			t.Errorf("the line names neither place nor mend: %s", line)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(bad) {
			t.Fatalf("the file was changed: %v", err)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALostSegmentIsFoundAtItsSeamAndByTheScrub(t *testing.T) {
	l, _ := several(t)
	closeLog(t, l)
	lost, after := l.mu.segments[1], l.mu.segments[2]
	if err := os.Remove(lost.path(logSuffix)); err != nil {
		t.Fatal(err)
	}
	again := open(t, l.Dir(), Config{SegmentBytes: 400})
	var seams []Damage
	if err := again.Missing(func(d Damage) { seams = append(seams, d) }); err != nil {
		t.Fatal(err)
	}
	found, _ := scrubbed(t, again)
	for how, got := range map[string][]Damage{"seams": seams, "scrub": found} {
		if len(got) != 1 || got[0].From != lost.base || got[0].To != after.base || filepath.Base(got[0].Path) != l.mu.segments[0].name() {
			t.Errorf("%s: got %+v, want offsets %d to %d missing", how, got, lost.base, after.base)
		}
	}
}

func TestTheScrubStopsWhenToldAndGoesOnWhereItWas(t *testing.T) {
	l, size := several(t)
	ctx, cancel := context.WithCancel(t.Context())
	var first int64
	next, more, err := l.Scrub(ctx, 0, func(ctx context.Context, n int) error {
		first += int64(n)
		return ctx.Err()
	}, func(Damage) {})
	if err != nil || !more || next != l.mu.segments[1].base || first != l.mu.segments[0].size {
		t.Fatalf("next %d, more %t, %v after %d bytes", next, more, err, first)
	}
	cancel()
	if _, _, err := l.Scrub(ctx, next, func(ctx context.Context, _ int) error { return ctx.Err() }, func(Damage) {}); err == nil {
		t.Error("it did not hear that it should stop")
	}
	rest := int64(0)
	for more {
		if next, more, err = l.Scrub(t.Context(), next, func(_ context.Context, n int) error { rest += int64(n); return nil }, func(Damage) {}); err != nil {
			t.Fatal(err)
		}
	}
	if first+rest != size {
		t.Errorf("read %d and %d of %d bytes", first, rest, size)
	}
	closeLog(t, l)
	if _, _, err := l.Scrub(t.Context(), 0, nil, nil); err == nil {
		t.Error("a closed log was read")
	}
}

// badSector is a disk on which one file cannot be read behind a position.
type badSector struct {
	disk.FS
	path string
}

func (d badSector) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := d.FS.Open(path, flag, mode)
	if err == nil && path == d.path {
		return badFile{f}, nil
	}
	return f, err
}

type badFile struct{ disk.File }

func (f badFile) ReadAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) > 100 {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(b, at)
}

// A bad sector is what a scrub is to find: it is told as damage, and the files behind it are read.
func TestAFileThatCannotBeReadIsToldAndTheRestRead(t *testing.T) {
	l, _ := several(t)
	dir, second := l.Dir(), l.mu.segments[1]
	path, from, to, rest := second.path(logSuffix), second.base, l.mu.segments[2].base, sizeOf(l)-l.mu.segments[0].size-second.size
	closeLog(t, l)
	l = open(t, dir, Config{SegmentBytes: 400, Disk: badSector{disk.Real{}, path}})
	found, bytes := scrubbed(t, l)
	if len(found) != 1 || found[0].Path != path || found[0].From != from || found[0].To != to || !strings.Contains(found[0].String(), "input/output error") {
		t.Errorf("found %+v", found)
	}
	if bytes < rest {
		t.Errorf("%d bytes were read, the other files behind have %d", bytes, rest)
	}
}
