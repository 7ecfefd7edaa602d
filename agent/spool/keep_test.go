package spool

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/line"
)

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func checkpoint(n uint64) follow.Checkpoint {
	return follow.Checkpoint{ID: follow.ID{FS: 1, Inode: n, Birth: 99}, Path: fmt.Sprintf("/var/log/app-%d.log", n), Began: 5, Head: 6, HeadLength: 7}
}

func key(n uint64) Key { return Key{"web_log", checkpoint(n).ID} }

// source is bytes that no two places of are alike.
func source(n int) []byte { return noise()[:n:n] }

var noise = sync.OnceValue(func() []byte {
	b := make([]byte, 2*segmentMost+5000)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
})

// keep keeps all of data from position at on, n bytes a call.
func keep(t *testing.T, s *Store, k uint64, at line.Position, data []byte, n int) {
	t.Helper()
	size := int64(at) + int64(len(data))
	for len(data) > 0 {
		part := data[:min(n, len(data))]
		if got, err := s.Keep(key(k), checkpoint(k), follow.Kept{To: at, Size: size}, part); err != nil || got != len(part) {
			t.Fatalf("kept %d of %d bytes at %d: %v", got, len(part), at, err)
		}
		at, data = at+line.Position(len(part)), data[len(part):]
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// want reads the whole of what is kept, in pieces of n bytes.
func want(t *testing.T, s *Store, k uint64, from line.Position, data []byte, n int) {
	t.Helper()
	g, ok := s.Find(key(k))
	if !ok || g.From != from || g.To != from+line.Position(len(data)) {
		t.Fatalf("kept %d to %d (%t), want %d to %d", g.From, g.To, ok, from, from+line.Position(len(data)))
	}
	var got []byte
	for b := make([]byte, n); ; {
		m, err := g.Bytes.ReadAt(b, int64(from)+int64(len(got)))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b[:m]...)
		if m < n {
			break
		}
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%d bytes are read, want the %d that were kept", len(got), len(data))
	}
}

func TestWhatIsKeptIsReadAgainAfterARestart(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: filepath.Join(dir, "spool")}
	s := open(t, cfg)
	first, second := source(3*frameMost+17), source(90_000)
	keep(t, s, 1, 1000, first, 5*frameMost/2)
	keep(t, s, 2, 0, second, 1000)
	for range 2 {
		want(t, s, 1, 1000, first, 100_000)
		want(t, s, 2, 0, second, 777)
		if n := s.Bytes(); n != int64(len(first)+len(second)) {
			t.Errorf("%d bytes are counted, want %d", n, len(first)+len(second))
		}
		part, err := s.ReadRange(key(1), 1010, 400_000, []byte("x"))
		if err != nil || !bytes.Equal(part, append([]byte("x"), first[10:399_000]...)) {
			t.Fatalf("ReadRange gave %d bytes, %v", len(part), err)
		}
		s.Close()
		s = open(t, cfg)
	}
	for _, r := range [][2]line.Position{{999, 1001}, {1000, 1_000_000}} {
		if _, err := s.ReadRange(key(1), r[0], r[1], nil); !errors.Is(err, follow.ErrGone) {
			t.Errorf("ReadRange of %v gave %v, want that it is gone", r, err)
		}
	}
	keep(t, s, 1, 1000+line.Position(len(first)), []byte("more"), 10)
	want(t, s, 1, 1000, append(first, "more"...), 100_000)
}

func TestWhatIsAcknowledgedMakesRoom(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "spool")}
	s := open(t, cfg)
	data := source(2*segmentMost + 5000)
	keep(t, s, 1, 0, data, 4<<20)
	if n := len(files(t, cfg.Dir)); n != 3 {
		t.Fatalf("%d segments, want 3", n)
	}
	acked := line.Position(segmentMost + 10)
	sweep := func(over bool) {
		if err := s.Sweep(func(Key) (line.Position, bool) { return acked, over }); err != nil {
			t.Fatal(err)
		}
	}
	sweep(false)
	want(t, s, 1, segmentMost, data[segmentMost:], 1<<20)
	if n := s.Bytes(); n != segmentMost+5000 {
		t.Errorf("%d bytes are counted, want %d", n, segmentMost+5000)
	}
	acked = line.Position(len(data)) + 100
	sweep(false)
	if n := len(files(t, cfg.Dir)); n != 0 || s.Bytes() != 0 {
		t.Errorf("%d files and %d bytes are left", n, s.Bytes())
	}
	keep(t, s, 1, acked, []byte("on it goes"), 100) // behind a hole of acknowledged bytes
	want(t, s, 1, acked, []byte("on it goes"), 4)
	acked += 100
	sweep(true)
	if _, ok := s.Find(key(1)); ok || len(files(t, cfg.Dir)) != 0 {
		t.Error("something is kept of a generation that is over and acknowledged")
	}
}

func TestBytesAreBoundedOverAllAndTheRestIsKnown(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "spool"), Bytes: 1000}
	s := open(t, cfg)
	keep(t, s, 1, 0, source(600), 600)
	data := source(700)
	n, err := s.Keep(key(2), checkpoint(2), follow.Kept{To: 50, Size: 5000}, data)
	if n != 400 || !errors.Is(err, ErrFull) {
		t.Fatalf("kept %d, %v; want 400 and that it is full", n, err)
	}
	for range 3 {
		if n, err = s.Keep(key(2), checkpoint(2), follow.Kept{To: 450, Size: 6000, Whole: true}, data[400:]); n != 0 || !errors.Is(err, ErrFull) {
			t.Fatalf("kept %d, %v; want that it is full", n, err)
		}
	}
	s.Close()
	s = open(t, cfg)
	want(t, s, 2, 50, data[:400], 1000)
	if g, _ := s.Find(key(2)); g.Size != 6000 || !g.Whole {
		t.Errorf("the source had %d bytes and nobody wrote to it: %t; want 6000 and so", g.Size, g.Whole)
	}
	if st, err := os.Stat(files(t, cfg.Dir)[0]); err != nil || st.Size() > 2000 {
		t.Errorf("saying it again and again made the file %d bytes long (%v)", st.Size(), err)
	}
	// The end is over, but what could not be kept is not acknowledged: it stays known.
	s.Sweep(func(k Key) (line.Position, bool) { return 600, k == key(1) })
	if g, ok := s.Find(key(2)); !ok || g.Size != 6000 {
		t.Error("that bytes could not be kept is forgotten")
	}
	if n, err = s.Keep(key(2), checkpoint(2), follow.Kept{To: 450, Size: 6000, Whole: true}, data[400:]); n != 300 || err != nil {
		t.Errorf("kept %d, %v after there was room again", n, err)
	}
}

func TestATornEndDoesNotCount(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "spool"), Disk: crashdisk.New()} // which syncs nothing, and so is fast
	s := open(t, cfg)
	data := source(5000)
	keep(t, s, 1, 0, data, 1000)
	s.Close()
	name := files(t, cfg.Dir)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head := len(whole) - 5*(frameHead+1000)
	for cut := len(whole) - 1; cut >= 0; cut -= 211 {
		for _, flip := range []bool{false, true} {
			b := append([]byte(nil), whole[:cut]...)
			if flip {
				b = append(append(b, whole[cut]^0x40), whole[cut+1:]...)
			}
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			s := open(t, cfg)
			frames := (cut - head) / (frameHead + 1000)
			g, ok := s.Find(key(1))
			if cut < head {
				if ok || !strings.Contains(log.String(), name) {
					t.Fatalf("cut at %d: %d bytes are kept, and the log says %q", cut, g.To, &log)
				}
				continue
			}
			want(t, s, 1, 0, data[:1000*frames], 300)
			if clean := !flip && (cut-head)%(frameHead+1000) == 0; clean == strings.Contains(log.String(), "torn") {
				t.Errorf("cut at %d, flipped %t: the log says %q", cut, flip, &log)
			}
			// What comes goes where the torn end was.
			rest := data[1000*frames:]
			keep(t, s, 1, line.Position(1000*frames), rest, 700)
			s.Close()
			want(t, open(t, cfg), 1, 0, data, 300)
		}
	}
}

func TestTwoTopicsKeepTheirOwn(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "spool"), Disk: disk.Real{}}
	s := open(t, cfg)
	other := Key{"copy", key(1).ID}
	keep(t, s, 1, 0, []byte("one"), 3)
	if _, err := s.Keep(other, checkpoint(1), follow.Kept{To: 2, Size: 3}, []byte("e")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, cfg)
	want(t, s, 1, 0, []byte("one"), 10)
	if g, ok := s.Find(other); !ok || g.From != 2 || g.To != 3 {
		t.Errorf("of the other topic %d to %d is kept (%t)", g.From, g.To, ok)
	}
	if n := len(s.List()); n != 2 {
		t.Errorf("%d are listed, want 2", n)
	}
}

// FuzzScan reads any bytes as a segment: no panic, nothing beyond the file, and what it
// takes for whole can be read.
func FuzzScan(f *testing.F) {
	head, err := About{Topic: "t", ID: checkpoint(1).ID, Start: 10}.header()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Add(appendFrame(head, 10, 20, 0, []byte("0123456789")))
	f.Add(append(appendFrame(appendFrame(head, 10, 30, 0, []byte("0123456789")), 20, 40, 1, nil), 1, 2, 3))
	f.Add(appendFrame(head, 11, 20, 0, []byte("a hole")))
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "x"+suffix)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, torn, err := scan(disk.Real{}, name)
		if err != nil {
			return
		}
		if s.size+torn != int64(len(b)) || s.end < s.about.Start {
			t.Fatalf("%d bytes whole and %d torn of %d, from %d to %d", s.size, torn, len(b), s.about.Start, s.end)
		}
		if s.end > s.about.Start {
			out := make([]byte, s.end-s.about.Start)
			if n, err := s.read(bytes.NewReader(b), out, s.about.Start); err != nil || n != len(out) {
				t.Fatalf("read %d of %d bytes: %v", n, len(out), err)
			}
		}
	})
}
