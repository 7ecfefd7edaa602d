package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkNext reads a log of nginx-like lines: the price of a byte before
// anything is done with it.
func BenchmarkNext(b *testing.B) {
	path := filepath.Join(b.TempDir(), "app.log")
	line := strings.Repeat("x", 169) + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(line, 400_000)), 0o644); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(400_000 * len(line)))
	b.ReportAllocs()
	for b.Loop() {
		s := New(Config{Path: path})
		for {
			if _, err := s.Next(buf); err == ErrIdle {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
}

// BenchmarkLook is what an idle file costs a sweep.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	var all []*Stream
	for i := range 1000 {
		path := filepath.Join(dir, fmt.Sprintf("%04d.log", i))
		if err := os.WriteFile(path, []byte("a line\n"), 0o644); err != nil {
			b.Fatal(err)
		}
		s := New(Config{Path: path})
		s.Next(make([]byte, leastBuffer))
		s.Next(make([]byte, leastBuffer))
		s.Release()
		defer s.Close()
		all = append(all, s)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if ready, err := all[i%1000].Look(); ready || err != nil {
			b.Fatal(ready, err)
		}
	}
}

// Reading is one system call a buffer and leaves nothing to collect.
func TestNextAllocatesNothing(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 20_000))
	s := New(Config{Path: path})
	defer s.Close()
	buf := make([]byte, leastBuffer)
	if _, err := s.Next(buf); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Next(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}
