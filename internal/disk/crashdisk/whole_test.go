package crashdisk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func TestASyncOfTheWholeDiskKeepsAllFilesAndNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d := New()
	if err := d.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		f, err := d.Open(filepath.Join(dir, fmt.Sprint(i)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("kept"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(10) {
		to := filepath.Join(t.TempDir(), "data")
		if err := d.PowerCut(rand.New(rand.NewPCG(seed, 1)), dir, to); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if b, err := os.ReadFile(filepath.Join(to, fmt.Sprint(i))); err != nil || string(b) != "kept" {
				t.Fatalf("file %d after the power cut: %q, %v", i, b, err)
			}
		}
	}
	broken := errors.New("broken")
	d.SetFault(func(op, path string, n int) (int, error) { return n, broken })
	if err := d.Sync(); !errors.Is(err, broken) {
		t.Fatalf("a sync with a fault: %v", err)
	}
}
