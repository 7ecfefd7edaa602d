package topics

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// finds gathers what a scrub tells.
type finds struct {
	sync.Mutex
	log     bytes.Buffer
	damages []commitlog.Damage
	bytes   int64
}

func (f *finds) Write(p []byte) (int, error) {
	f.Lock()
	defer f.Unlock()
	return f.log.Write(p)
}

// look is what was told so far.
func (f *finds) look() (damages []commitlog.Damage, n int64, log string) {
	f.Lock()
	defer f.Unlock()
	return f.damages, f.bytes, f.log.String()
}

// scrubbing opens the folder and scrubs it until stop.
func scrubbing(t *testing.T, dir string, cfg ScrubConfig) (f *finds, stop func()) {
	t.Helper()
	f = &finds{}
	cfg.Scrubbed = func(n int64) { f.Lock(); defer f.Unlock(); f.bytes += n }
	cfg.Damaged = func(d commitlog.Damage) { f.Lock(); defer f.Unlock(); f.damages = append(f.damages, d) }
	topics, err := Open(Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(f, nil)), Scrub: cfg})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = topics.Run(ctx) })
	return f, sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := topics.Close(); err != nil {
			t.Error(err)
		}
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// twoLogs is a folder of two partitions with a batch of a hundred kilobytes in each of several segments.
func twoLogs(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	topics := open(t, dir)
	made, err := topics.Create("web_log", 2, map[string]string{"segment.bytes": "150000"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		put(t, made.Partition(0), strings.Repeat("a", 100_000))
		put(t, made.Partition(1), strings.Repeat("b", 100_000))
	}
	if err := topics.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDamageIsFoundBesideTheWorkAndNamed(t *testing.T) {
	dir := twoLogs(t)
	path := filepath.Join(dir, "web_log-1", "00000000000000000001.log")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[5000] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, stop := scrubbing(t, dir, ScrubConfig{Delay: time.Nanosecond, Rate: 1 << 30})
	defer stop()
	waitFor(t, "the damage", func() bool { d, _, _ := f.look(); return len(d) > 0 })
	d, _, log := f.look()
	if d[0].Path != path || d[0].Position != 0 || d[0].From != 1 || d[0].To != 2 || !strings.Contains(log, "is damaged at position 0: bad CRC: offsets 1 to 1 of web_log-1") {
		t.Errorf("found %+v, and the log says\n%s", d, log)
	}
	waitFor(t, "the end of the reading", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, scrubFile))
		return err == nil && bytes.Contains(b, []byte(`"done":true`))
	})
	if d, n, _ := f.look(); len(d) != 1 || n < 500_000 {
		t.Errorf("%d damages in %d bytes, want one in all", len(d), n)
	}
}

func TestARestartGoesOnWhereTheReadingWasAndADoneOneRests(t *testing.T) {
	dir := twoLogs(t)
	f, stop := scrubbing(t, dir, ScrubConfig{Delay: time.Nanosecond, Rate: 300_000}) // a pause at 256 KiB
	waitFor(t, "the first bytes", func() bool { _, n, _ := f.look(); return n > 0 })
	stop()
	_, first, _ := f.look()
	f, stop = scrubbing(t, dir, ScrubConfig{Delay: time.Nanosecond, Rate: 1 << 30})
	waitFor(t, "the end of the reading", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, scrubFile))
		return err == nil && bytes.Contains(b, []byte(`"done":true`))
	})
	stop()
	if _, second, _ := f.look(); first+second > 700_000 { // all is 600 kB, a segment may be read twice
		t.Errorf("read %d and %d bytes", first, second)
	}
	f, stop = scrubbing(t, dir, ScrubConfig{Delay: time.Nanosecond, Rate: 1 << 30, Every: time.Hour})
	<-time.After(20 * time.Millisecond) // nothing can be waited for
	stop()
	if _, n, _ := f.look(); n != 0 {
		t.Errorf("%d bytes were read again at once", n)
	}
}
