package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/line"
)

// life keeps, acknowledges and sweeps on a disk until done says so, and answers what
// must be there afterwards: from where to where, of each generation.
func life(t *testing.T, d *crashdisk.Disk, dir string, r *rand.Rand, steps int) (acked, kept map[Key]line.Position) {
	t.Helper()
	acked, kept = map[Key]line.Position{}, map[Key]line.Position{}
	s, err := Open(Config{Dir: dir, Disk: d, Bytes: 200_000})
	if err != nil {
		return acked, kept // nothing was promised
	}
	defer s.Close()
	data := source(1 << 20)
	for range steps {
		n := uint64(r.IntN(3))
		k := key(n)
		if r.IntN(5) == 0 {
			acked[k] = max(acked[k], kept[k]-line.Position(r.IntN(3))*100)
			s.Sweep(func(k Key) (line.Position, bool) { return acked[k], false })
			continue
		}
		from := max(kept[k], acked[k])
		part := data[from : int(from)+1+r.IntN(30_000)]
		if int(from)+30_000 > len(data)/2 {
			continue
		}
		n2, err := s.Keep(k, checkpoint(n), follow.Kept{To: from, Size: int64(from) + int64(len(part))}, part)
		if err == nil && n2 != len(part) {
			t.Fatalf("kept %d of %d bytes without a word", n2, len(part))
		}
		kept[k] = from + line.Position(n2)
	}
	return acked, kept
}

// holds checks that a folder has all that was promised.
func holds(t *testing.T, dir string, acked, kept map[Key]line.Position, when string) {
	t.Helper()
	s, err := Open(Config{Dir: dir, Disk: crashdisk.New()}) // which syncs nothing, and so is fast
	if err != nil {
		t.Fatal(when, err)
	}
	defer s.Close()
	data := source(1 << 20)
	for k, end := range kept {
		from := acked[k]
		if from >= end {
			continue
		}
		got, err := s.ReadRange(k, from, end, nil)
		if err != nil || string(got) != string(data[from:end]) {
			t.Fatalf("%s: of generation %v the bytes %d to %d were kept and are not there: %d bytes, %v", when, k.ID, from, end, len(got), err)
		}
	}
}

func TestRule10WhatWasKeptSurvivesEveryFaultAndAPowerCut(t *testing.T) {
	faults := map[string]error{"no space": syscall.ENOSPC, "i/o error": syscall.EIO}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			for at := 0; ; at++ {
				d := crashdisk.New()
				ops, hit := 0, false
				d.SetFault(func(op, path string, n int) (int, error) {
					if ops++; ops-1 < at || ops-1 >= at+2 {
						return n, nil
					}
					hit = true
					return n / 2, fault // torn, if it is a write
				})
				dir, cut := filepath.Join(base, fmt.Sprint(at)), filepath.Join(base, fmt.Sprintf("%d cut", at))
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				spool := filepath.Join(dir, "spool")
				r := rand.New(rand.NewPCG(uint64(at), 2))
				acked, kept := life(t, d, spool, r, 12)
				when := fmt.Sprintf("%s at operation %d", name, at)
				holds(t, spool, acked, kept, when)
				if err := d.PowerCut(r, dir, cut); err != nil {
					t.Fatal(err)
				}
				if _, err := os.Stat(filepath.Join(cut, "spool")); err != nil && len(kept) == 0 {
					continue // not even the folder was promised
				}
				holds(t, filepath.Join(cut, "spool"), acked, kept, when+", then a power cut")
				os.RemoveAll(dir)
				os.RemoveAll(cut)
				if !hit {
					return // every operation has failed once
				}
			}
		})
	}
}

func TestAFullDiskIsNoEnd(t *testing.T) {
	d := crashdisk.New()
	full := true
	d.SetFault(func(op, path string, n int) (int, error) {
		if full && op == "write" {
			return n / 3, syscall.ENOSPC
		}
		return n, nil
	})
	cfg := Config{Dir: filepath.Join(t.TempDir(), "spool"), Disk: d}
	s := open(t, cfg)
	data := source(3000)
	for range 3 {
		if n, err := s.Keep(key(1), checkpoint(1), follow.Kept{To: 0, Size: 3000}, data); n != 0 || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("kept %d, %v; want that there is no space", n, err)
		}
	}
	if s.Bytes() != 0 {
		t.Errorf("%d bytes are counted though nothing is kept", s.Bytes())
	}
	full = false
	keep(t, s, 1, 0, data, 1000)
	s.Close()
	want(t, open(t, cfg), 1, 0, data, 100)
}
