package commitlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// oneDisk is a WholeDisk whose syncs take a while and may fail.
type oneDisk struct {
	takes   time.Duration
	err     error
	crowded atomic.Bool
	syncs   atomic.Int64
}

func (d *oneDisk) Sync() error {
	d.syncs.Add(1)
	time.Sleep(d.takes) // virtual time
	return d.err
}

func (d *oneDisk) Holds(dir string) bool { return filepath.Base(dir) != "elsewhere-0" }
func (d *oneDisk) Crowded() bool         { return d.crowded.Load() }

// many is several logs over a slow disk, in virtual time.
type many struct {
	t     *testing.T
	disk  *slowDisk
	whole *oneDisk
	s     *Syncer
	logs  []*Log
}

// openMany opens so many logs; run makes the Syncer work until the test's end, or stop.
func openMany(t *testing.T, n int) (m *many, run func() (stop func())) {
	t.Helper()
	m = &many{t: t, disk: &slowDisk{takes: 10 * time.Millisecond}, whole: &oneDisk{takes: 12 * time.Millisecond}}
	m.s = NewSyncer(SyncerConfig{Whole: m.whole})
	m.s.nap = time.Sleep
	root := t.TempDir()
	for i := range n {
		m.logs = append(m.logs, openWith(t, filepath.Join(root, fmt.Sprint("t-", i)), Config{Disk: m.disk}, m.s))
	}
	m.disk.syncs.Store(0)
	return m, func() func() {
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = m.s.Run(ctx) })
		stop := func() {
			cancel()
			running.Wait()
		}
		t.Cleanup(stop)
		return stop
	}
}

// append puts one record into a log and returns a wait for it.
func (m *many) append(i int) func() {
	m.t.Helper()
	a := appendTo(m.t, m.logs[i], plain(m.t, "a"))
	return func() {
		if err := m.logs[i].WaitDurable(m.t.Context(), a.Last); err != nil {
			m.t.Error(err)
		}
	}
}

// appendAll puts one record into each log and waits for all.
func (m *many) appendAll() (took time.Duration) {
	m.t.Helper()
	began := time.Now()
	var waits []func()
	for i := range m.logs {
		waits = append(waits, m.append(i))
	}
	for _, l := range m.logs {
		l.Expect(l.End() - 1)
	}
	for _, wait := range waits {
		wait()
	}
	return time.Since(began)
}

func (m *many) wantSyncs(files, whole int64) {
	m.t.Helper()
	if f, w := m.disk.syncs.Load(), m.whole.syncs.Load(); f != files || w != whole {
		m.t.Errorf("%d syncs of files and %d of the whole disk, want %d and %d", f, w, files, whole)
	}
}

// end closes the logs inside of the test's bubble, when no sync runs any more.
func (m *many) end() {
	time.Sleep(20 * m.disk.takes)
	for _, l := range m.logs {
		if err := l.Close(); err != nil {
			m.t.Error(err)
		}
	}
}

func TestManyLogsAreSyncedByOneSyncOfTheWholeDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 20)
		for i := range m.logs {
			m.append(i) // before anybody works
		}
		run()
		time.Sleep(m.whole.takes)
		synctest.Wait()
		for i, l := range m.logs {
			if l.HighWatermark() != l.End() {
				t.Errorf("log %d is durable to %d of %d", i, l.HighWatermark(), l.End())
			}
		}
		m.wantSyncs(0, 1)
		m.end()
	})
}

func TestAFewLogsAreSyncedByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 2)
		run()
		for range 5 {
			if took := m.appendAll(); took != m.disk.takes {
				t.Errorf("2 logs were durable after %s, one sync takes %s", took, m.disk.takes)
			}
		}
		m.wantSyncs(10, 0)
		m.end()
	})
}

func TestAThirdSyncWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 16)
		run()
		for i := range 2 {
			m.append(i)
			synctest.Wait() // its sync has begun
		}
		for i := 2; i < 16; i++ {
			m.append(i)
		}
		time.Sleep(longestHold + m.whole.takes)
		synctest.Wait()
		m.wantSyncs(2, 1)
		for i, l := range m.logs {
			if l.HighWatermark() != 1 {
				t.Errorf("log %d is durable to %d, want 1", i, l.HighWatermark())
			}
		}
		m.end()
	})
}

func TestTheWholeDiskIsLeftAloneWhileOthersFillIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 16)
		m.whole.crowded.Store(true)
		run()
		m.appendAll()
		m.wantSyncs(16, 0)
		m.whole.crowded.Store(false)
		m.appendAll()
		if m.whole.syncs.Load() == 0 {
			t.Error("the disk is not crowded any more, and still each log is synced by itself")
		}
		m.end()
	})
}

func TestALogElsewhereIsSyncedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 5)
		m.logs = append(m.logs, openWith(t, filepath.Join(t.TempDir(), "elsewhere-0"), Config{Disk: m.disk}, m.s))
		m.disk.syncs.Store(0)
		for i := range m.logs {
			m.append(i)
		}
		run()
		m.appendAll()
		if n := m.disk.syncs.Load(); n == 0 {
			t.Error("a log on another file system was made durable by a sync of this one")
		}
		m.end()
	})
}

func TestASlowSyncOfTheWholeDiskIsNotTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 16)
		run()
		m.whole.takes = slowWhole
		m.appendAll()
		for range 3 {
			m.appendAll()
		}
		if n := m.whole.syncs.Load(); n != 1 {
			t.Errorf("%d syncs of the whole disk within a second, the first was slow", n)
		}
		time.Sleep(shortestRest)
		m.appendAll()
		time.Sleep(shortestRest) // the second rest is longer
		m.appendAll()
		if n := m.whole.syncs.Load(); n != 2 {
			t.Errorf("%d syncs of the whole disk, want another one after a second and no third after two", n)
		}
		m.end()
	})
}

func TestALogThatIsHeldUpHoldsUpNoOther(t *testing.T) {
	m, run := openMany(t, 6)
	m.whole.takes, m.disk.takes = 0, 0
	for i := range m.logs {
		m.append(i)
	}
	held := m.logs[2]
	held.syncing.Lock() // as who deletes its segments does
	run()
	for i, l := range m.logs {
		if i == 2 {
			continue
		}
		if err := l.WaitDurable(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range m.logs { // and then again
		if i == 2 {
			continue
		}
		m.append(i)()
		if l.HighWatermark() != l.End() {
			t.Errorf("log %d is durable to %d of %d", i, l.HighWatermark(), l.End())
		}
	}
	held.syncing.Unlock()
	if err := held.WaitDurable(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	m.end()
}

// Clients that all wait for the disk must not fall into two halves that wait for each
// other's syncs.
func TestWhoWasReleasedIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, rounds = 10, 20
		m, run := openMany(t, 1)
		run()
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // they begin at different times
				for range rounds {
					m.append(0)()
					time.Sleep(200 * time.Microsecond) // on its way to the client and back
				}
			})
		}
		all.Wait()
		if n := m.disk.syncs.Load(); n > rounds+5 {
			t.Errorf("%d syncs for %d rounds of %d clients", n, rounds, clients)
		}
		m.end()
	})
}

func TestOneClientAloneNeverWaitsForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 1)
		run()
		for range 10 {
			if took := m.appendAll(); took != m.disk.takes {
				t.Fatalf("an append was durable after %s, one sync takes %s", took, m.disk.takes)
			}
		}
		m.end()
	})
}

func TestEachSyncWakesThoseWhomItServes(t *testing.T) {
	var w waves
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	first, also := w.join(4), w.join(2)
	w.begin(5)
	served, later := w.join(3), w.join(5)
	if n := w.end(5); n != 3 || !closed(first) || !closed(also) || !closed(served) || closed(later) {
		t.Fatalf("the first sync released %d of 3, and the fourth: %t", n, closed(later))
	}
	w.begin(9)
	if next := w.join(9); w.end(9) != 1 || !closed(later) || closed(next) {
		t.Fatal("the second sync did not release the one that it served alone")
	}
	w.begin(12)
	last, never := w.join(11), w.join(12)
	w.endAll()
	if !closed(last) || !closed(never) {
		t.Fatal("somebody waits although the log has ended")
	}
}

// Several logs with one sync for all: what any of them promised is there after a
// power cut.
func TestAfterAPowerCutAllThatOneSyncMadeDurableIsThere(t *testing.T) {
	for seed := range seeds(t, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			fsys := crashdisk.New()
			s := NewSyncer(SyncerConfig{Whole: fsys})
			root := t.TempDir()
			var logs []*Log
			for i := range 5 {
				cfg := Config{Disk: fsys, SegmentBytes: int64(300 + rng.IntN(2000))}
				logs = append(logs, openWith(t, filepath.Join(root, fmt.Sprint("t-", i)), cfg, s))
			}
			for range 30 {
				for range rng.IntN(20) {
					appendTo(t, logs[rng.IntN(len(logs))], plain(t, "some value"))
				}
				if rng.IntN(2) == 0 {
					s.syncWhole(logs)
				}
			}
			for _, l := range logs {
				high, end := l.HighWatermark(), l.End()
				re := open(t, powerCut(t, fsys, rng, l.Dir()), Config{})
				if re.End() < high || re.End() > end {
					t.Errorf("%s: %d were durable and %d sent, %d are there", l.Name(), high, end, re.End())
				}
				l.Abandon()
			}
		})
	}
}
