package topics

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// aside makes a topic with a record in its last partition and puts it aside as a Kafka does. stray is what follows a
// folder's name.
func aside(t *testing.T, dir, name string, stray ...string) ID {
	t.Helper()
	topics := open(t, dir)
	made, err := topics.Create(name, len(stray), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, made.Partition(int32(len(stray)-1)), "a")
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	for i, s := range stray {
		plain := filepath.Join(dir, folder(name, int32(i)))
		if err := os.Rename(plain, fmt.Sprintf("%s.%s-stray", plain, s)); err != nil {
			t.Fatal(err)
		}
	}
	return made.ID
}

// wantBack says whether the topic is there with the record in its last partition.
func wantBack(t *testing.T, dir string, id ID, partitions int) {
	t.Helper()
	topics, lines := says(t, dir)
	got := topics.Get("ours")
	if got == nil || got.ID != id || len(got.Partitions()) != partitions || got.Partition(int32(partitions-1)).Log.End() != 1 {
		t.Errorf("the topic is not there as it was:\n%s", lines)
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
}

// A power cut while a topic gets its names back leaves it aside or whole, never without a partition.
func TestATopicIsTakenBackWhole(t *testing.T) {
	left := t.TempDir()
	other := open(t, left) // what was here before the Kafka
	if _, err := other.Create("web_log", 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	id := aside(t, left, "ours", "aa", "bb", "cc", "dd")
	kafkaRuns(t, left)
	off := errors.New("the power is off")
	for at, ended := int64(4), false; !ended; at++ {
		for seed := range uint64(12) {
			dir, cut := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(left)); err != nil {
				t.Fatal(err)
			}
			var count atomic.Int64 // logs are opened several at a time
			fsys := crashdisk.New()
			fsys.SetFault(func(op, path string, n int) (int, error) {
				if count.Load() > 0 || op == "rename" && strings.Contains(path, "ours-") {
					count.Add(1)
				}
				if count.Load() >= at {
					return 0, off
				}
				return n, nil
			})
			topics, err := Open(Config{Dir: dir, Disk: fsys})
			if ended = err == nil || at > 6; err == nil {
				_ = topics.Close()
			}
			fsys.SetFault(nil)
			if err := fsys.PowerCut(rand.New(rand.NewPCG(seed, uint64(at))), dir, cut); err != nil {
				t.Fatal(err)
			}
			wantBack(t, cut, id, 4)
		}
	}
}

// Two topics of one name that were put aside are not mixed up.
func TestTopicsOfOneNameArePutAsideApart(t *testing.T) {
	dir := t.TempDir()
	if topics := open(t, dir); topics != nil {
		if _, err := topics.Create("web_log", 1, nil); err != nil {
			t.Fatal(err)
		}
		if err := topics.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first := aside(t, dir, "ours", "aa", "zz")
	aside(t, dir, "ours", "bb", "yy")
	kafkaRuns(t, dir)
	wantBack(t, dir, first, 2)
	for _, there := range []string{"ours-0.bb-stray", "ours-1.yy-stray"} {
		if _, err := os.Stat(filepath.Join(dir, there)); err != nil {
			t.Errorf("the other topic of that name: %v", err)
		}
	}
}

// A disk that cannot be read is no reason to give up what the logs know of themselves.
func TestAnUnreadableNoteAboutAKafkaRefusesTheStart(t *testing.T) {
	dir := t.TempDir()
	kafkaRuns(t, dir)
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, kafkaFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // reading it fails
		t.Fatal(err)
	}
	if here, err := KafkaWasHere(disk.Real{}, dir); here || err == nil {
		t.Errorf("a Kafka was here: %t, %v, want the disk's error", here, err)
	}
}

// A copy of a partition's folder, by whatever name, does not become a partition when a Kafka was there.
func TestACopyOfAFolderIsNoPartitionOfAKafkas(t *testing.T) {
	dir := t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, made.Partition(0), "a")
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	kafkaRuns(t, dir)
	for _, name := range []string{"web_log-1", "web_log-40"} { // the first one is the Kafka's
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(dir, "web_log-0"))); err != nil {
			t.Fatal(err)
		}
	}
	again, lines := says(t, dir)
	if n := len(again.Get("web_log").Partitions()); n != 2 || !strings.Contains(lines.String(), "beyond the topic's partitions") {
		t.Errorf("web_log has %d partitions, want 2 and a line about the copy:\n%s", n, lines)
	}
}
