//go:build linux

package broker_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/loghaul/loghaul/broker"
)

func TestAReadOnlyFolderIsRefusedWithTheMend(t *testing.T) {
	disk := smallDisk(t, "4m")
	data := filled(t, broker.Config{Data: filepath.Join(disk, "data")}, 3)
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refuses(t, broker.Config{Data: data}, data, "read-only", "make it writable for this user")
	refuses(t, broker.Config{Data: filepath.Join(disk, "new")}, filepath.Join(disk, "new"), "make it writable for this user")
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 3), 3)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// A start needs a few hundred bytes: on a full disk it says so, and with the reserve that a running broker keeps it starts, so
// that old records can be deleted.
func TestAStartOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, "8m")
	data := filled(t, broker.Config{Data: filepath.Join(disk, "data")}, 3)
	reserve := filepath.Join(data, "reserve.ballast")
	if err := os.Remove(reserve); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(reserve, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	fillUp(t, ballast)
	r := start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 3), 3)
	if err := r.stop(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if err := os.Remove(reserve); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	fillUp(t, ballast)
	refuses(t, broker.Config{Data: data}, data, "is full", "free some space")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 3), 3)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// fillUp takes all room that is left for a file.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
}
