package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOneSyncForAWholeFileSystem(t *testing.T) {
	dir := t.TempDir()
	w := OpenWhole(dir)
	if w == nil {
		t.Skip("the folder for temporary files lies on neither ext4 nor XFS")
	}
	defer w.Close()
	inside := filepath.Join(dir, "a")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	if !w.Holds(inside) || w.Holds("/proc") || w.Holds(filepath.Join(dir, "missing")) {
		t.Errorf("it holds %s: %t, /proc: %t, a missing folder: %t; want true, false, false", inside, w.Holds(inside), w.Holds("/proc"), w.Holds(filepath.Join(dir, "missing")))
	}
	if err := w.Sync(); err != nil {
		t.Error(err)
	}
	if first := w.Crowded(); w.Crowded() != first {
		t.Error("the answer changed within its time")
	}
}

func TestOnlyKnownFileSystemsAreSyncedWhole(t *testing.T) {
	for _, dir := range []string{"/proc", "/sys", "/a/folder/that/is/missing"} {
		if w := OpenWhole(dir); w != nil {
			w.Close()
			t.Errorf("%s is offered as a whole", dir)
		}
	}
	if !since(5, 8) || since(99, 0) {
		t.Errorf("this kernel is 5.8 or newer: %t, and 99.0 or newer: %t", since(5, 8), since(99, 0))
	}
}

func TestWhatMeminfoSaysIsUnwritten(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal: 8000 kB\nDirty:               348 kB\nWriteback:             2 kB\nWritebackTmp:  7 kB\n": 350 << 10,
		"":                    0,
		"Dirty: many kB\n":    mostForOthers + 1,
		"Dirty: 1 2 3 kB\n":   mostForOthers + 1,
		"Dirty:\nMapped: 1\n": mostForOthers + 1,
	} {
		if got := unwritten([]byte(text)); got != want {
			t.Errorf("%q: %d bytes, want %d", text, got, want)
		}
	}
}
