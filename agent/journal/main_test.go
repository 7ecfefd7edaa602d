package journal

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var web = Partition{"web_log", 0}

func open(t *testing.T, dir string) *Journal {
	t.Helper()
	return openWith(t, Config{Dir: dir})
}

func openWith(t *testing.T, cfg Config) *Journal {
	t.Helper()
	if cfg.place == nil {
		cfg.place = func(string) string { return "here" }
	}
	j, err := Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// register takes up generation n of topic web_log.
func register(t *testing.T, j *Journal, n int) Generation {
	t.Helper()
	g, err := j.Register(Generation{Topic: "web_log", ID: ID{FS: 1, Inode: uint64(n), Birth: 7}, Name: line.Generation(n), Path: "/var/log/a.log"})
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	return g
}

// batch is an entry over the bytes [from, to) of g.
func batch(g Generation, seq, count int32, from, to line.Position) *Entry {
	return &Entry{
		Partition: web, TopicID: TopicID{1}, Producer: record.Producer{ID: 9, Epoch: 2, Sequence: seq}, Count: count, CRC: 77, Input: 1,
		Ranges: []Range{{Ref: g.Ref, Start: from, End: to, HardEnd: to, Count: count, Tail: 5, TailLength: 3}},
	}
}

func begin(t *testing.T, j *Journal, e *Entry) *Entry {
	t.Helper()
	if err := j.Begin(e); err != nil {
		t.Fatalf("Begin: %v", err)
	}
	return e
}

// crash opens the journal again without closing it, as after kill -9.
func crash(t *testing.T, j *Journal) *Journal {
	t.Helper()
	return open(t, j.cfg.Dir)
}

// fullDisk refuses writes while full, after writing half of what it was given.
type fullDisk struct {
	disk.File
	full *bool
}

func (d fullDisk) WriteAt(b []byte, off int64) (int, error) {
	if !*d.full {
		return d.File.WriteAt(b, off)
	}
	n, err := d.File.WriteAt(b[:len(b)/2], off)
	return n, errors.Join(err, syscall.ENOSPC)
}

func fill(j *Journal) *bool {
	full := new(bool)
	j.mu.file = fullDisk{j.mu.file, full}
	return full
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

func clockAt(day int) func() time.Time {
	return func() time.Time { return time.Unix(int64(day)*86400, 0) }
}
