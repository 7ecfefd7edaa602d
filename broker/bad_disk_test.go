//go:build linux

package broker_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
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

// A start needs a few hundred bytes, and has room of its own for them: on a disk without a free byte the broker serves what it
// holds, refuses what comes, and lets itself be emptied.
func TestAStartOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, "8m")
	data := filled(t, broker.Config{Data: filepath.Join(disk, "data")}, 3)
	others := filepath.Join(disk, "others")
	gone := func(name string) {
		t.Helper()
		if err := os.Remove(filepath.Join(data, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	gone("reserve.ballast") // its place has been used up
	for range 3 {           // each start leaves the next its room
		fillUp(t, others)
		r := start(t, broker.Config{Data: data})
		wantLines(t, r.consume("web_log", 3), 3)
		if err := r.stop(); err != nil {
			t.Errorf("the end: %v", err)
		}
	}
	gone("reserve.start")
	fillUp(t, others)
	refuses(t, broker.Config{Data: data}, data, "is full", "free 128.0 KiB there")
	if err := os.WriteFile(filepath.Join(data, "reserve.ballast"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, broker.Config{Data: data}, data, "is full", "free 128.0 KiB there")
	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	r := start(t, broker.Config{Data: data})
	wantLines(t, r.consume("web_log", 3), 3)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestADiskWithoutAFreeByteCanBeEmptied(t *testing.T) {
	disk := smallDisk(t, "8m")
	data := filepath.Join(disk, "data")
	r := start(t, broker.Config{Data: data, CreateTopics: []string{"web_log:1"}})
	for range 3 {
		put(t, r.dial(), 8, "web_log", 0, -1, seal(t, 2000, record.NoProducer, record.None))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, "reserve.ballast")); err != nil {
		t.Fatal(err)
	}
	fillUp(t, filepath.Join(disk, "others"))
	r = start(t, broker.Config{Data: data})
	conn := r.dial()
	if got := put(t, conn, 8, "web_log", 0, -1, seal(t, 2, record.NoProducer, record.None)); got.ErrorCode != 19 {
		t.Errorf("a batch: code %d, want 19", got.ErrorCode)
	}
	for range 5 {
		req := kmsg.NewPtrInitProducerIDRequest()
		wantCode(t, "InitProducerID", 4, call[*kmsg.InitProducerIDResponse](t, conn, 4, req).ErrorCode, 15)
	}
	if n, m := r.log.count("the reserve for commits and transactions is used up"), r.log.count("could not give out"); n != 1 || m > 0 {
		t.Errorf("%d lines say with the mend why the coordinator is not available, and %d that it is, want one and none", n, m)
	}
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "web_log", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: -1}}}}
	if got := call[*kmsg.DeleteRecordsResponse](t, conn, 1, del).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.LowWatermark != 6000 {
		t.Errorf("trimming: code %d, the log begins at %d, want 0 and 6000", got.ErrorCode, got.LowWatermark)
	}
	if err := r.stop(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if r = start(t, broker.Config{Data: data}); start0(t, r.dial(), "web_log") != 6000 {
		t.Error("after a restart what was trimmed is there again")
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
