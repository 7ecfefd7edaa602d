package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/line"
)

func TestNoDescriptorIsHeldHoweverManyFilesAreKept(t *testing.T) {
	fds := "/proc/self/fd"
	if _, err := os.Stat(fds); err != nil {
		t.Skip("no /proc to count descriptors in")
	}
	cfg := Config{Dir: filepath.Join(t.TempDir(), "spool")}
	s := open(t, cfg)
	data := source(3000)
	for n := range uint64(40) {
		keep(t, s, n, 0, data, 1000)
		k, ok := s.Find(key(n))
		if !ok {
			t.Fatal("nothing is kept")
		}
		b := make([]byte, 500)
		if m, err := k.Bytes.ReadAt(b, 700); err != nil || m != len(b) {
			t.Fatalf("read %d bytes of what is kept: %v", m, err)
		}
		if n%2 == 0 {
			keep(t, s, n, line.Position(len(data)), data, 1000)
		}
	}
	list, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range list {
		if to, err := os.Readlink(filepath.Join(fds, fd.Name())); err == nil && strings.HasPrefix(to, cfg.Dir) {
			t.Fatalf("%s is held open", to)
		}
	}
}
