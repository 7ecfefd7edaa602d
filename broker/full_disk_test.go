//go:build linux

package broker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

// smallDisk is a folder on a disk of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
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
	return dir
}

func TestFullDiskRefusesUntilThereIsRoom(t *testing.T) {
	dir := smallDisk(t, "1m")
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

// cram fills a disk to the last byte with somebody else's file.
func cram(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
}

func TestCommitsAndDeadLettersGoOnWhileTheDiskIsFull(t *testing.T) {
	dir := smallDisk(t, "32m")
	data, others := filepath.Join(dir, "data"), filepath.Join(dir, "others")
	r := start(t, broker.Config{Data: data, CreateTopics: []string{"web_log:1", "web_log.dlq:1"}})
	ballast := filepath.Join(data, "reserve.ballast")
	laid := func() bool { info, err := os.Stat(ballast); return err == nil && info.Size() > 300<<10 }
	eventually(t, "the ballast to be laid", laid)
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	put(t, conn, 8, "web_log", 0, -1, batch)
	cram(t, others)
	for i := range 50 { // nobody but the groups has noticed yet
		r.commitAt("readers", "web_log", int64(i))
	}
	if laid() {
		t.Error("the ballast is still there")
	}
	if got := put(t, conn, 8, "web_log", 0, -1, batch); got.ErrorCode != 19 || got.ErrorMessage == nil || !strings.Contains(*got.ErrorMessage, "the disk under "+data+" is full") {
		t.Errorf("a client's batch: code %d, %v, want 19 and why", got.ErrorCode, got.ErrorMessage)
	}
	r.produceTo("web_log.dlq")
	if s := r.disk(conn); !s.Full || s.Why == "" {
		t.Errorf("the state is %+v, want a full disk", s)
	}
	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	if got := put(t, conn, 8, "web_log", 0, -1, batch); got.ErrorCode != 0 || got.BaseOffset != 2000 {
		t.Errorf("with room again: code %d at offset %d", got.ErrorCode, got.BaseOffset)
	}
	eventually(t, "the ballast to be laid again", laid)
	if s := r.disk(conn); s.Full {
		t.Errorf("the state is %+v, want no full disk", s)
	}
}

func TestATransactionEndsOnAFullDisk(t *testing.T) {
	dir := smallDisk(t, "32m")
	data, others := filepath.Join(dir, "data"), filepath.Join(dir, "others")
	r := start(t, broker.Config{Data: data, CreateTopics: []string{"web_log:1"}})
	ballast := filepath.Join(data, "reserve.ballast")
	eventually(t, "the ballast to be laid", func() bool { _, err := os.Stat(ballast); return err == nil })
	cl := r.transact("full")
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r.produce(cl, "web_log", 0, 1)
	cram(t, others)
	conn := r.dial()
	for i := range 100 { // each is written down
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr(fmt.Sprint("other ", i)), 60_000
		wantCode(t, "InitProducerID", 4, call[*kmsg.InitProducerIDResponse](t, conn, 4, req).ErrorCode, 0)
	}
	if r.log.count("the disk is full") != 1 {
		t.Error("the disk was not full")
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatalf("ending a transaction on a full disk: %v", err)
	}
	if got := r.consume("web_log", 1, kgo.FetchIsolationLevel(kgo.ReadCommitted())); len(got) != 1 {
		t.Errorf("%d records are committed", len(got))
	}
}
