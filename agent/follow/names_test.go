package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// rested gives dir the time of a folder that has kept still for an hour.
func rested(t *testing.T, dir string) {
	t.Helper()
	at := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(dir, at, at))
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	info, err := statPath(dir)
	must(t, err)
	got, err := namesIn(dir, info)
	must(t, err)
	return got
}

func kept(dir string) bool {
	folders.Lock()
	defer folders.Unlock()
	_, ok := folders.kept[dir]
	return ok
}

func TestNamesAreKeptUntilTheFolderChanges(t *testing.T) {
	dir := t.TempDir()
	appendTo(t, filepath.Join(dir, "b"), "")
	appendTo(t, filepath.Join(dir, "a"), "")
	if got := names(t, dir); !slices.Equal(got, []string{"a", "b"}) || kept(dir) {
		t.Errorf("names %q, kept: %t, want them sorted, and nothing kept of a folder that has just changed", got, kept(dir))
	}
	rested(t, dir)
	if names(t, dir); !kept(dir) {
		t.Error("nothing is kept of a folder that has kept still")
	}
	appendTo(t, filepath.Join(dir, "c"), "")
	if got := names(t, dir); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("names %q, want the new one too", got)
	}
	rested(t, dir)
	names(t, dir)
	must(t, os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "d")))
	if got := names(t, dir); !slices.Equal(got, []string{"b", "c", "d"}) {
		t.Errorf("names %q, want those after the rename", got)
	}
}

func TestAnotherFolderUnderTheNameIsListed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	must(t, os.Mkdir(dir, 0o700))
	appendTo(t, filepath.Join(dir, "a"), "")
	rested(t, dir)
	info, err := statPath(dir)
	must(t, err)
	names(t, dir)
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chtimes(dir, time.Unix(0, info.mtime), time.Unix(0, info.mtime)))
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("names %q of an empty folder", got)
	}
}

func TestNamesThatAreKeptAreBounded(t *testing.T) {
	for i := range 20 {
		l := listing{names: make([]string, namesMost/8)}
		keepNames(fmt.Sprint("/folder/", i), l)
		folders.Lock()
		total := 0
		for _, l := range folders.kept {
			total += len(l.names)
		}
		if total != folders.total || total > namesMost {
			t.Errorf("%d names are kept and %d counted, want at most %d", total, folders.total, namesMost)
		}
		folders.Unlock()
	}
}

func TestEveryRotatedNameBeginsWithTheStem(t *testing.T) {
	all := []string{"app", "app-2026-01-31.log", "app.1.log", "app.log", "app.log-20260131", "app.log.1", "app.log.1.gz", "app.log.old", "app.log~", "apple.log", "b.log.1"}
	got := beginning(all, stem("app.log"))
	for _, n := range all {
		if rotated("app.log", n) && !slices.Contains(got, n) {
			t.Errorf("%s is a rotated name and not among %q", n, got)
		}
	}
	if slices.Contains(got, "b.log.1") || stem(".log") != ".log" || stem("syslog") != "syslog" {
		t.Errorf("beginnings %q, stems %q and %q", got, stem(".log"), stem("syslog"))
	}
}
