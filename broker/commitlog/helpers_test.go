package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seeds is how many random runs a test makes: few, or LOGHAUL_SEEDS for a campaign.
func seeds(t testing.TB, few uint64) uint64 {
	t.Helper()
	s := os.Getenv("LOGHAUL_SEEDS")
	if s == "" {
		return few
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatalf("LOGHAUL_SEEDS: %v", err)
	}
	return n
}

// batchOf seals one uncompressed batch: a record for each value, one ms apart from
// first on.
func batchOf(t testing.TB, p record.Producer, first int64, values ...string) []byte {
	t.Helper()
	return sealed(t, p, record.None, first, values...)
}

func sealed(t testing.TB, p record.Producer, codec record.Codec, first int64, values ...string) []byte {
	t.Helper()
	b := record.NewBuilder(0)
	for i, v := range values {
		b.Append(int64(i), nil, []byte(v), 0, nil)
	}
	batch, err := b.Seal(nil, p, codec, first, first+int64(len(values)-1))
	if err != nil {
		t.Fatalf("sealing %d values: %v", len(values), err)
	}
	return batch
}

// plain is a batch of one producer that is not idempotent, at time 1000.
func plain(t testing.TB, values ...string) []byte {
	t.Helper()
	return batchOf(t, record.NoProducer, 1000, values...)
}

// open opens the log in dir without a Syncer: each append is durable when it
// returns. It is closed at the test's end if it still is open.
func open(t testing.TB, dir string, cfg Config) *Log {
	t.Helper()
	return openWith(t, dir, cfg, nil)
}

func openWith(t testing.TB, dir string, cfg Config, s *Syncer) *Log {
	t.Helper()
	if cfg.Disk == nil {
		cfg.Disk = unsyncedDisk{}
	}
	l, err := Open(dir, cfg, s)
	if err != nil {
		t.Fatalf("opening %s: %v", dir, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// runSyncer runs a Syncer until the test ends or stop is called.
func runSyncer(t testing.TB) (s *Syncer, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s = NewSyncer(SyncerConfig{})
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("syncer ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// unsyncedDisk is the disk without waiting for it: a copied folder is all that most
// tests need of a crash.
type unsyncedDisk struct{ disk.Real }

type unsyncedFile struct{ disk.File }

func (u unsyncedDisk) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := u.Real.Open(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

func (unsyncedDisk) SyncDir(string) error { return nil }
func (unsyncedFile) Sync() error          { return nil }

// powerCut writes what dir may look like after the power was cut into a new folder
// of the same name.
func powerCut(t testing.TB, d *crashdisk.Disk, rng *rand.Rand, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := d.PowerCut(rng, dir, to); err != nil {
		t.Fatal(err)
	}
	return to
}

func appendTo(t testing.TB, l *Log, batch []byte) Appended {
	t.Helper()
	a, err := l.Append(batch)
	if err != nil {
		t.Fatalf("appending to %s: %v", l.Name(), err)
	}
	return a
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("closing %s: %v", l.Name(), err)
	}
}

// readAllValues is every value from an offset up to the high watermark, each batch
// checked: sound CRC, offsets that follow.
func readAllValues(t testing.TB, l *Log, from record.Offset, maxBytes int) []string {
	t.Helper()
	values, err := valuesFrom(l, from, maxBytes)
	if err != nil {
		t.Fatalf("reading %s from %d: %v", l.Name(), from, err)
	}
	return values
}

func valuesFrom(l *Log, from record.Offset, maxBytes int) ([]string, error) {
	var values []string
	var r record.Reader
	for at := from; ; {
		span, err := l.Read(at, maxBytes)
		if err != nil {
			return values, err
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if err != nil || len(b) == 0 {
			return values, err
		}
		for len(b) > 0 {
			h, err := record.ParseHeader(b)
			if err != nil || h.Size() > len(b) {
				return values, fmt.Errorf("span of offset %d ends inside a batch: %v", at, err)
			}
			if !record.CheckCRC(b[:h.Size()]) || h.NextOffset() <= at {
				return values, fmt.Errorf("batch %d to %d, read for %d, is unsound", h.BaseOffset, h.LastOffset(), at)
			}
			err = r.Read(b[:h.Size()], 1<<30, func(rec *record.Record) error {
				if rec.Offset >= at {
					values = append(values, string(rec.Value))
				}
				return nil
			})
			if err != nil {
				return values, err
			}
			at, b = h.NextOffset(), b[h.Size():]
		}
	}
}

func wantValues(t testing.TB, l *Log, want ...string) {
	t.Helper()
	sameValues(t, readAllValues(t, l, l.Start(), 1<<20), want)
}

func sameValues(t testing.TB, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("want %d values, the last is %.40q: got %d", len(want), want[len(want)-1], len(got))
		case i >= len(want):
			t.Fatalf("want %d values, got %d, then %.40q", len(want), len(got), got[i])
		case got[i] != want[i]:
			t.Fatalf("value %d of %d: want %.40q, got %.40q of %d", i, len(want), want[i], got[i], len(got))
		}
	}
}

// copyDir is what kill -9 leaves: all that was written, synced or not, and no
// Close.
func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatalf("copying %s: %v", dir, err)
	}
	return to
}

func logDir(t testing.TB) string { return filepath.Join(t.TempDir(), "web_log-0") }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("want error %q, got %v", want, err)
	}
}

// clock is a wall clock that a test moves.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Now()} }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }
