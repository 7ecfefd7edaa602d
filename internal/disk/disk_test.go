package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// each runs a test on the real disk and on the one for tests: they do the same as long as nothing fails.
func each(t *testing.T, f func(t *testing.T, fsys disk.FS, dir string)) {
	t.Run("real", func(t *testing.T) { f(t, disk.Or(nil), t.TempDir()) })
	t.Run("crash", func(t *testing.T) { f(t, disk.Or(crashdisk.New()), t.TempDir()) })
}

// write makes a file.
func write(t *testing.T, fsys disk.FS, path, content string) {
	t.Helper()
	f, err := fsys.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.WriteAt([]byte(content), 0)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, fsys disk.FS, path, content string) {
	t.Helper()
	if b, err := disk.ReadFile(fsys, path); err != nil || string(b) != content {
		t.Fatalf("%s holds %q, %v, want %q", path, b, err, content)
	}
}

func TestAFileGoesFromNameToName(t *testing.T) {
	each(t, func(t *testing.T, fsys disk.FS, dir string) {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		write(t, fsys, a, "old")
		write(t, fsys, a, "newer")
		write(t, fsys, b, "another")
		if err := fsys.Rename(a, b); err != nil {
			t.Fatal(err)
		}
		want(t, fsys, b, "newer")
		if _, err := disk.ReadFile(fsys, a); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("reading what is gone: %v", err)
		}
		if err := fsys.Remove(a); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removing what is gone: %v", err)
		}
		if err := fsys.Rename(a, b); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("renaming what is gone: %v", err)
		}
		if err := fsys.SyncDir(dir); err != nil {
			t.Error(err)
		}
		if names, err := fsys.ReadDir(dir); err != nil || len(names) != 1 || names[0].Name() != "b" {
			t.Errorf("the folder holds %v, %v", names, err)
		}
	})
}

func TestFoldersAreMadeAndRemovedWhole(t *testing.T) {
	each(t, func(t *testing.T, fsys disk.FS, dir string) {
		deep := filepath.Join(dir, "a", "b", "c")
		for range 2 { // again is fine
			if err := disk.MkdirAll(fsys, deep, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		write(t, fsys, filepath.Join(deep, "file"), "x")
		write(t, fsys, filepath.Join(dir, "a", "file"), "y")
		if err := fsys.Mkdir(deep, 0o700); !errors.Is(err, fs.ErrExist) {
			t.Errorf("making a folder twice: %v", err)
		}
		if err := disk.MkdirAll(fsys, filepath.Join(deep, "file"), 0o700); err == nil {
			t.Error("a folder was made where a file is")
		}
		if _, err := disk.ReadFile(fsys, deep); err == nil {
			t.Error("a folder was read as a file")
		}
		for range 2 { // nothing there is fine
			if err := disk.RemoveAll(fsys, filepath.Join(dir, "a")); err != nil {
				t.Fatal(err)
			}
		}
		if names, err := fsys.ReadDir(dir); err != nil || len(names) != 0 {
			t.Errorf("the folder holds %v, %v", names, err)
		}
	})
}

func TestWhatCannotBeRemovedIsTold(t *testing.T) {
	d, dir := crashdisk.New(), t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		write(t, d, filepath.Join(dir, name), name)
	}
	d.SetFault(func(op, path string, n int) (int, error) {
		if op == "remove" && filepath.Base(path) == "b" {
			return 0, syscall.EIO
		}
		return n, nil
	})
	if err := disk.RemoveAll(d, dir); !errors.Is(err, syscall.EIO) {
		t.Errorf("want the error of b, got %v", err)
	}
	if names, err := d.ReadDir(dir); err != nil || len(names) != 1 || names[0].Name() != "b" {
		t.Errorf("the folder holds %v, %v, want b alone", names, err)
	}
}

func TestASmallFileIsReadWholeOrRefused(t *testing.T) {
	each(t, func(t *testing.T, fsys disk.FS, dir string) {
		path := filepath.Join(dir, "a")
		write(t, fsys, path, "twelve bytes")
		if b, err := disk.ReadUpTo(fsys, path, 12); err != nil || string(b) != "twelve bytes" {
			t.Errorf("it holds %q, %v", b, err)
		}
		if _, err := disk.ReadUpTo(fsys, path, 11); err == nil || err.Error() != path+" has 12 bytes, more than 11" {
			t.Errorf("reading more than is wanted: %v", err)
		}
		write(t, fsys, path, "")
		want(t, fsys, path, "")
		if _, err := disk.ReadUpTo(fsys, filepath.Join(path, "b"), 1); err == nil {
			t.Error("a file below a file was read")
		}
	})
}
