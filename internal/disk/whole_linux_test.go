package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
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

// Linux gives ext2 the number of ext4.
func TestAnOldFileSystemIsNotTakenForItsSuccessor(t *testing.T) {
	for kind, want := range map[string]bool{"ext2": false, "ext3": false, "ext4": true} {
		dir := formatted(t, kind)
		w := OpenWhole(dir)
		if (w != nil) != want {
			t.Errorf("%s is offered as a whole: %t, want %t", kind, w != nil, want)
		}
		if w != nil {
			w.Close()
		}
	}
}

// formatted is a folder on a small disk of that kind, in a file.
func formatted(t *testing.T, kind string) string {
	t.Helper()
	without := func(what string, err error, out []byte) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: %v: %s", what, err, out)
		}
		t.Skipf("%s: %v: %s; run as root, with e2fsprogs and mount", what, err, out)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skipf("this kernel, or this container, has no loop devices: %v", err)
	}
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 8<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs."+kind, "-q", image).CombinedOutput(); err != nil {
		without("making a disk of "+kind, err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		without("mounting a disk of "+kind, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v: %s", err, out)
		}
	})
	return dir
}

func TestWhichFileSystemIsMounted(t *testing.T) {
	const mounts = "22 1 259:1 / / rw - ext2 /dev/a rw\nshort\n30 22 0:25 /a /b rw,noatime shared:1 master:2 - tmpfs - rw\n31 22 8:1 / /c rw - ext4 /dev/b rw\n32 22 8:2 / /d rw -\n"
	for device, want := range map[uint64]string{unix.Mkdev(259, 1): "ext2", unix.Mkdev(0, 25): "tmpfs", unix.Mkdev(8, 1): "ext4", unix.Mkdev(8, 2): "", unix.Mkdev(8, 3): ""} {
		if got := mountedAs([]byte(mounts), device); got != want {
			t.Errorf("device %d is %q, want %q", device, got, want)
		}
	}
}
