//go:build unix

package follow

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestOnlyRegularFilesAreRead(t *testing.T) {
	path := pathIn(t, "app.log")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Skip(err)
	}
	tl := tail(t, Config{Path: path})
	if _, err := tl.s.Look(); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a pipe: Look says %v", err)
	}
	must(t, os.Remove(path))
	must(t, os.Mkdir(path, 0o755))
	if _, err := tl.s.Look(); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a folder: Look says %v", err)
	}
	must(t, os.Remove(path))
	appendTo(t, path, "file\n")
	tl.want(tl.quiet(), "file\n")
}
