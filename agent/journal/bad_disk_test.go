package journal

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// script is one life of a journal under a model, on a disk that may fail: what is
// refused is tried again as the agent does, and what cannot be refused is told once.
type script struct {
	t *testing.T
	d *crashdisk.Disk
	j *Journal
	m *model
	g Generation
	n int32
}

func newScript(t *testing.T, d *crashdisk.Disk, dir string) *script {
	t.Helper()
	j := openWith(t, Config{Dir: dir, Disk: d, CompactBytes: 1500})
	g := register(t, j, 1)
	return &script{t: t, d: d, j: j, g: g, m: &model{acked: map[Ref][]bool{g.Ref: {}}, open: map[Seq]*Entry{}}}
}

// step begins one batch and acknowledges the one before the last.
func (s *script) step() {
	at := pos(int64(s.n) * 10)
	e := batch(s.g, s.n, 1, at, at+10)
	for tries := 0; ; tries++ {
		err := s.j.Begin(e)
		if err == nil {
			break
		}
		if tries > 50 {
			s.t.Fatalf("Begin is refused for good: %v", err)
		}
	}
	s.m.open[e.Seq] = e
	s.m.acked[s.g.Ref] = append(s.m.acked[s.g.Ref], make([]bool, 10)...)
	if seqs := slices.Sorted(maps.Keys(s.m.open)); len(seqs) > 1 {
		s.j.Done(seqs[0], 1)
		s.m.done(s.m.open[seqs[0]])
	}
	s.n++
}

// TestTheJournalHoldsWhateverWriteFails lets the operation number n of the disk fail, for
// every n in turn, once with half of what was to be written on it, and wants the next
// start to know exactly what the journal had taken.
func TestTheJournalHoldsWhateverWriteFails(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
		for _, times := range []int{1, 5} { // passes at once, or stays for a while
			for n := 0; ; n++ {
				if !failsAt(t, fault, n, times) {
					if n < 60 {
						t.Fatalf("the script has %d operations only", n)
					}
					break
				}
			}
		}
	}
}

// failsAt says whether the script came as far as operation n.
func failsAt(t *testing.T, fault error, n, times int) bool {
	t.Helper()
	name := fmt.Sprintf("%v at operation %d and %d more", fault, n, times-1)
	d, dir, count, met := crashdisk.New(), t.TempDir(), 0, false
	s := newScript(t, d, dir)
	d.SetFault(func(op, path string, size int) (int, error) {
		if count++; count > n && count <= n+times {
			met = true
			return size / 2, fault
		}
		return size, nil
	})
	for range 30 {
		s.step()
		s.j.Sync()
		s.j.compactIfLong()
	}
	d.SetFault(nil)
	if err := s.j.Sync(); err != nil {
		t.Fatalf("%s: the journal cannot be synced afterwards: %v", name, err)
	}
	s.m.compare(t, s.j, 0, n)
	again := openWith(t, s.j.cfg) // as after kill -9
	s.m.compare(t, again, 1, n)
	again.Close()
	// What was synced is there after a power cut too.
	cut := filepath.Join(t.TempDir(), "cut")
	if err := d.PowerCut(rand.New(rand.NewPCG(uint64(n), 3)), dir, cut); err != nil {
		t.Fatal(err)
	}
	after := openWith(t, Config{Dir: cut})
	s.m.compare(t, after, 2, n)
	after.Close()
	s.j.Close()
	return met
}

// TestAPowerCutLosesOnlyWhatWasNotSynced cuts the power at a random moment between two
// syncs, with any of the sectors written since on the disk or not.
func TestAPowerCutLosesOnlyWhatWasNotSynced(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 4))
		d, dir := crashdisk.New(), t.TempDir()
		s := newScript(t, d, dir)
		synced := int32(0)
		for range r.IntN(60) + 1 {
			s.step()
			if r.IntN(4) == 0 {
				if err := s.j.Sync(); err != nil {
					t.Fatal(err)
				}
				synced = s.n
			}
			if r.IntN(8) == 0 {
				before := s.j.mu.number
				if err := s.j.compactIfLong(); err != nil {
					t.Fatal(err)
				}
				if s.j.mu.number > before { // written as a whole, and fsynced
					synced = s.n
				}
			}
		}
		if synced == 0 {
			continue // not even the first generation was on the disk
		}
		cut := filepath.Join(t.TempDir(), "cut")
		if err := d.PowerCut(r, dir, cut); err != nil {
			t.Fatal(err)
		}
		after := openWith(t, Config{Dir: cut, boot: "another"})
		acked, begun := after.Progress(s.g.Ref)
		if begun < pos(int64(synced)*10) || acked < pos(int64(synced-1)*10) || begun > pos(int64(s.n)*10) || acked > begun {
			t.Fatalf("seed %d: acknowledged %d, begun %d after the cut; %d of %d steps were synced", seed, acked, begun, synced, s.n)
		}
		if _, ok := after.Doubted("web_log"); !ok {
			t.Fatalf("seed %d: the journal of another boot is not doubted", seed)
		}
		after.Close()
		s.j.Close()
	}
}

func TestAfterAFailedFsyncTheWholeIsWrittenAnew(t *testing.T) {
	d := crashdisk.New()
	s := newScript(t, d, t.TempDir())
	s.step()
	d.SetFault(func(op, _ string, n int) (int, error) {
		if op == "sync" {
			return n, syscall.EIO
		}
		return n, nil
	})
	number := s.j.mu.number
	if err := s.j.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync: %v, want EIO", err)
	}
	if err := s.j.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync again: %v, want EIO: nothing new was written, and the old is not on the disk", err)
	}
	d.SetFault(nil)
	if err := s.j.Sync(); err != nil || s.j.mu.number != number+1 {
		t.Errorf("Sync: %v, in file %d, want file %d: what the old one holds is not known", err, s.j.mu.number, number+1)
	}
}

// TestASnapshotWhoseNameIsNotOnTheDiskIsNotBelieved is about a rename that happened and
// could not be synced: the old file goes on, and the new one must not win later.
func TestASnapshotWhoseNameIsNotOnTheDiskIsNotBelieved(t *testing.T) {
	for _, stuck := range []bool{false, true} { // it cannot even be removed
		d, dir := crashdisk.New(), t.TempDir()
		s := newScript(t, d, dir)
		s.step()
		d.SetFault(func(op, _ string, n int) (int, error) {
			if op == "syncdir" || stuck && op == "remove" {
				return 0, syscall.EIO
			}
			return n, nil
		})
		s.j.mu.Lock()
		err := s.j.compact()
		s.j.mu.Unlock()
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("compact: %v, want EIO", err)
		}
		d.SetFault(nil)
		for range 3 {
			s.step()
		}
		if stuck {
			// An empty file of the next number is left: nothing is taken for its content.
			if info, err := os.Stat(s.j.path(s.j.mu.number + 1)); err != nil || info.Size() != 0 {
				t.Fatalf("the file that could not be removed: %v, %v", info, err)
			}
		}
		again, err := Open(s.j.cfg)
		if err != nil {
			t.Fatalf("stuck %v: %v", stuck, err)
		}
		s.m.compare(t, again, 0, 0)
		again.Close()
	}
}
