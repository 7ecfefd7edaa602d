package topics

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// manyLogs is a topic on a disk that keeps many logs by one sync, each with a record that is durable.
type manyLogs struct {
	dir   string
	disk  *crashdisk.Disk
	topic *Topics
	syncs struct {
		sync.Mutex
		whole, other int
	}
}

const logsOfMany = manyPartitions + 4

func newManyLogs(t *testing.T) *manyLogs {
	t.Helper()
	m := &manyLogs{dir: t.TempDir(), disk: crashdisk.New()}
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.topic.Create("web_log", logsOfMany, nil); err != nil {
		t.Fatal(err)
	}
	m.put(t, "a")
	if err := m.disk.Sync(); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *manyLogs) open() (err error) {
	m.topic, err = Open(Config{Dir: m.dir, Disk: m.disk, Syncer: commitlog.NewSyncer(commitlog.SyncerConfig{Whole: m.disk})})
	return err
}

func (m *manyLogs) put(t *testing.T, value string) {
	t.Helper()
	for _, p := range m.topic.Get("web_log").Partitions() {
		put(t, p, value)
	}
}

// kill leaves the files as they are.
func (m *manyLogs) kill() {
	for _, p := range m.topic.Get("web_log").Partitions() {
		p.Log.Abandon()
	}
}

// count counts syncs from now on.
func (m *manyLogs) count() {
	m.syncs.whole, m.syncs.other = 0, 0
	m.disk.SetFault(func(op, path string, n int) (int, error) {
		m.syncs.Lock()
		defer m.syncs.Unlock()
		switch {
		case op == "sync" && path == "":
			m.syncs.whole++
		case op == "sync" || op == "syncdir":
			m.syncs.other++
		}
		return n, nil
	})
}

// look opens a folder on a disk of its own and says how many records each log has; clean: none was checked.
func (m *manyLogs) look(t *testing.T, dir string) (ends []int, clean bool) {
	t.Helper()
	topics, err := Open(Config{Dir: dir, Disk: disk.Real{}})
	if err != nil {
		t.Fatal(err)
	}
	clean = true
	for _, p := range topics.Get("web_log").Partitions() {
		ends = append(ends, int(p.Log.End()))
		clean = clean && !p.Log.Unclean()
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	return ends, clean
}

func TestManyLogsAreClosedAndOpenedWithFewSyncs(t *testing.T) {
	m := newManyLogs(t)
	m.put(t, "b")
	m.count()
	if err := m.topic.Close(); err != nil {
		t.Fatal(err)
	}
	if m.syncs.whole != 2 || m.syncs.other != 0 {
		t.Errorf("closing took %d syncs of the disk and %d of files and folders, want two and none", m.syncs.whole, m.syncs.other)
	}
	m.count()
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	if m.syncs.whole+m.syncs.other != 0 {
		t.Errorf("opening what was closed took %d syncs of the disk and %d others", m.syncs.whole, m.syncs.other)
	}
	m.put(t, "c")
	m.kill()
	m.count()
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	if m.syncs.whole != 1 || m.syncs.other != 0 {
		t.Errorf("opening what was killed took %d syncs of the disk and %d others, want one and none", m.syncs.whole, m.syncs.other)
	}
	m.disk.SetFault(nil)
	if err := m.topic.Close(); err != nil {
		t.Fatal(err)
	}
	if ends, clean := m.look(t, m.dir); !clean || fmt.Sprint(ends) != fmt.Sprint(all(3)) {
		t.Errorf("the logs end at %v, clean %t, want 3 each, clean", ends, clean)
	}
}

// all is so many records in each log.
func all(records int) []int {
	ends := make([]int, logsOfMany)
	for i := range ends {
		ends[i] = records
	}
	return ends
}

func TestAPowerCutWhileManyLogsAreClosedTakesNothingDurable(t *testing.T) {
	m := newManyLogs(t)
	m.put(t, "b")
	rng := rand.New(rand.NewPCG(1, 2))
	var one sync.Mutex
	var images []string
	m.disk.SetFault(func(op, path string, n int) (int, error) {
		one.Lock()
		defer one.Unlock()
		if len(images) < 24 && (op == "sync" || rng.IntN(5) == 0) {
			to := filepath.Join(t.TempDir(), "image")
			if err := m.disk.PowerCut(rng, m.dir, to); err != nil {
				t.Error(err)
			}
			images = append(images, to)
		}
		return n, nil
	})
	if err := m.topic.Close(); err != nil {
		t.Fatal(err)
	}
	m.disk.SetFault(nil)
	if len(images) < 10 {
		t.Fatalf("%d power cuts, want some", len(images))
	}
	for _, dir := range images {
		ends, clean := m.look(t, dir)
		for i, end := range ends {
			if end < 1 || end > 2 || clean && end != 2 {
				t.Errorf("%s: log %d ends at %d, clean %t, want 1 or 2", dir, i, end, clean)
			}
		}
	}
	after := filepath.Join(t.TempDir(), "image")
	if err := m.disk.PowerCut(rng, m.dir, after); err != nil {
		t.Fatal(err)
	}
	if ends, clean := m.look(t, after); !clean || fmt.Sprint(ends) != fmt.Sprint(all(2)) {
		t.Errorf("after the close the logs end at %v, clean %t, want 2 each, clean", ends, clean)
	}
}

func TestWhatAStartFoundIsDurableBeforeItIsServed(t *testing.T) {
	m := newManyLogs(t)
	m.put(t, "b")
	m.kill()
	m.disk.SetFault(func(op, path string, n int) (int, error) {
		if op == "sync" && path == "" {
			return 0, syscall.EIO
		}
		return n, nil
	})
	if err := m.open(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a start whose sync failed: %v", err)
	}
	m.disk.SetFault(nil)
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := m.disk.PowerCut(rand.New(rand.NewPCG(3, 4)), m.dir, image); err != nil {
		t.Fatal(err)
	}
	m.kill()
	if ends, _ := m.look(t, image); fmt.Sprint(ends) != fmt.Sprint(all(2)) {
		t.Errorf("after a power cut the logs end at %v, want the 2 each that the start before it served", ends)
	}
}
