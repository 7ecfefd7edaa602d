package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of size bytes, which only root may do.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("mounting a small disk needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mounting a disk of %s: %v", size, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

func TestAFullDiskUnderTheBrokerStopsWritersAndLosesNothing(t *testing.T) {
	disk := smallDisk(t, "48m")
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPipeOn(t, t.TempDir(), filepath.Join(disk, "broker"))
	w := &writer{path: filepath.Join(p.logs, "app.log"), rotate: 100000}
	// Lines of one letter would compress to nothing; these are numbered and padded, and still compress, so many are written.
	if err := w.write(400000); err != nil {
		t.Fatal(err)
	}
	w.file.Close()
	eventually(t, "a word about the full disk", func() bool { return strings.Contains(p.broker.said(), "no space left") })
	if got := delivered(t, p.out); got >= w.written {
		t.Fatalf("the disk was to be full, but all %d lines came through", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.arrive([]*writer{w})
}
