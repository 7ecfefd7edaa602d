//go:build linux

package broker_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"golang.org/x/sys/unix"
)

func TestFullDiskRefusesUntilThereIsRoom(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("cannot mount a small disk: %v; run as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting the small disk: %v", err)
		}
	})
	r := start(t, broker.Config{Data: filepath.Join(dir, "data"), CreateTopics: []string{"web_log:1"}})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 500<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	stored := 0
	for {
		got := put(t, conn, 8, "web_log", 0, -1, batch)
		if got.ErrorCode == 19 {
			break
		}
		if got.ErrorCode != 0 || stored > 1000 {
			t.Fatalf("batch %d: code %d", stored, got.ErrorCode)
		}
		stored++
	}
	for range 50 {
		if got := put(t, conn, 8, "web_log", 0, 1, batch); got.ErrorCode != 19 {
			t.Fatalf("on a full disk: code %d, want 19, which clients try again", got.ErrorCode)
		}
	}
	if n := r.log.count("the disk is full"); n != 1 || r.log.count(filepath.Join(dir, "data")) < 1 {
		t.Errorf("%d lines about the full disk, want one that names the folder", n)
	}
	if n := len(r.consume("web_log", stored*2000)); n != stored*2000 {
		t.Errorf("%d records are readable, want %d", n, stored*2000)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if got := put(t, conn, 8, "web_log", 0, -1, batch); got.ErrorCode != 0 || got.BaseOffset != int64(stored*2000) {
		t.Errorf("with room again: code %d at offset %d, want 0 at %d", got.ErrorCode, got.BaseOffset, stored*2000)
	}
}
