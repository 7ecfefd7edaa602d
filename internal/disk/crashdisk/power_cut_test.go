package crashdisk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// put writes a file without syncing anything.
func put(t *testing.T, d *Disk, path, content string, sync bool) {
	t.Helper()
	f, err := d.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.WriteAt([]byte(content), 0)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// must fails on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// images counts what some power cuts leave of a folder, each as its files with content, in order.
func images(t *testing.T, d *Disk, dir string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	root := t.TempDir()
	for seed := range uint64(60) {
		to := filepath.Join(root, "image")
		must(t, d.PowerCut(rand.New(rand.NewPCG(seed, 1)), dir, to))
		var all []string
		must(t, filepath.Walk(to, func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(to, path)
			all = append(all, filepath.ToSlash(rel)+"="+string(b))
			return err
		}))
		seen[strings.Join(all, " ")]++
		must(t, os.RemoveAll(to))
	}
	return seen
}

// wantImages says which ones must be seen, and that no others are.
func wantImages(t *testing.T, got map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if got[w] == 0 {
			t.Errorf("%q never happens", w)
		}
		delete(got, w)
	}
	for other, n := range got {
		t.Errorf("%q happens %d times", other, n)
	}
}

func TestWhatWasThereBeforeIsDurable(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "sub", "old"), []byte("x"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "top"), []byte("y"), 0o600))
	d := New()
	wantImages(t, images(t, d, dir), "sub/old=x top=y")
	must(t, d.Remove(filepath.Join(dir, "top"))) // not synced
	wantImages(t, images(t, d, dir), "sub/old=x top=y", "sub/old=x")
	must(t, d.SyncDir(dir))
	wantImages(t, images(t, d, dir), "sub/old=x")
}

func TestBytesAndNameAreDurableByThemselves(t *testing.T) {
	dir, d := t.TempDir(), New()
	put(t, d, filepath.Join(dir, "a"), "1", false)
	wantImages(t, images(t, d, dir), "", "a=", "a=1")
	must(t, d.SyncDir(dir))
	wantImages(t, images(t, d, dir), "a=", "a=1")
	put(t, d, filepath.Join(dir, "a"), "2", true)
	wantImages(t, images(t, d, dir), "a=2")
	put(t, d, filepath.Join(dir, "b"), "3", true)
	wantImages(t, images(t, d, dir), "a=2", "a=2 b=3")
}

func TestARenameHappensOrNot(t *testing.T) {
	dir, d := t.TempDir(), New()
	put(t, d, filepath.Join(dir, "a"), "old", true)
	must(t, d.SyncDir(dir))
	put(t, d, filepath.Join(dir, "a.tmp"), "new", true)
	must(t, d.SyncDir(dir))
	must(t, d.Rename(filepath.Join(dir, "a.tmp"), filepath.Join(dir, "a")))
	wantImages(t, images(t, d, dir), "a=old a.tmp=new", "a=new")
	must(t, d.SyncDir(dir))
	wantImages(t, images(t, d, dir), "a=new")
}

func TestNamesOfAFolderAreNotThoseOfAnother(t *testing.T) {
	dir, d := t.TempDir(), New()
	sub := filepath.Join(dir, "sub")
	must(t, d.Mkdir(sub, 0o700))
	put(t, d, filepath.Join(sub, "a"), "1", true)
	must(t, d.SyncDir(sub)) // but nobody synced the folder above
	wantImages(t, images(t, d, dir), "", "sub/a=1")
	must(t, d.Rename(sub, filepath.Join(dir, "other")))
	wantImages(t, images(t, d, dir), "", "sub/a=1", "other/a=1")
	must(t, d.SyncDir(dir))
	wantImages(t, images(t, d, dir), "other/a=1")
}

func TestEachSectorMayBeThereOrNot(t *testing.T) {
	dir, d := t.TempDir(), New()
	old, fresh := strings.Repeat("o", 2*sector), strings.Repeat("n", 2*sector)
	put(t, d, filepath.Join(dir, "a"), old, true)
	must(t, d.SyncDir(dir))
	f, err := d.Open(filepath.Join(dir, "a"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte(fresh), 0)
	must(t, err)
	o, n := old[:sector], fresh[:sector]
	wantImages(t, images(t, d, dir), "a="+o+o, "a="+o+n, "a="+n+o, "a="+n+n)
	must(t, f.Truncate(10))
	for image := range images(t, d, dir) {
		if l := len(image) - len("a="); l < 10 || l > 2*sector {
			t.Errorf("an image has %d bytes", l)
		}
	}
	must(t, f.Sync())
	wantImages(t, images(t, d, dir), "a="+fresh[:10])
	if b, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || !bytes.Equal(b, []byte(fresh[:10])) {
		t.Errorf("on the real disk is %q, %v", b, err)
	}
}
