package commitlog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// stream appends every tenth of a millisecond for 100 ms.
func (m *many) stream() {
	m.t.Helper()
	for range 1000 {
		m.append(0)
		time.Sleep(100 * time.Microsecond)
	}
}

// wantRest wants that the first log rests before its next sync.
func (m *many) wantRest() {
	m.t.Helper()
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	if turn := m.logs[0].turn; turn != easing {
		m.t.Fatalf("the log is in state %d, want that it rests", turn)
	}
}

func TestWhatNobodyWaitsForIsSyncedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 1)
		m.disk.takes = time.Millisecond
		run()
		m.stream()
		l := m.logs[0]
		if behind := l.End() - l.HighWatermark(); behind > 70 {
			t.Errorf("%d records are not durable, want those of 6 ms at most", behind)
		}
		if n := m.disk.syncs.Load(); n < 15 || n > 25 {
			t.Errorf("%d syncs in 100 ms of a stream that nobody waits for, want one in 5 ms", n)
		}
		time.Sleep(longestEase + m.disk.takes)
		if l.End() != l.HighWatermark() {
			t.Errorf("durable to %d of %d", l.HighWatermark(), l.End())
		}
		m.end()
	})
}

func TestWhoComesToWaitEndsTheRest(t *testing.T) {
	for name, wait := range map[string]func(l *Log){
		"for the disk": func(l *Log) { _ = l.WaitDurable(context.Background(), l.End()-1) },
		"for more": func(l *Log) {
			rose := make(chan struct{}, 100)
			defer l.Watch(func() { rose <- struct{}{} })()
			<-rose
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, run := openMany(t, 1)
				m.disk.takes = time.Millisecond
				run()
				m.stream()
				time.Sleep(20 * time.Millisecond)
				m.append(0)
				time.Sleep(m.disk.takes / 2)
				m.append(0) // while the first one is synced
				time.Sleep(m.disk.takes)
				m.wantRest()
				began := time.Now()
				wait(m.logs[0])
				if took := time.Since(began); took != m.disk.takes || m.logs[0].HighWatermark() != m.logs[0].End() {
					t.Errorf("waited for %s, one sync takes %s; durable to %d of %d", took, m.disk.takes, m.logs[0].HighWatermark(), m.logs[0].End())
				}
				m.end()
			})
		})
	}
}

func TestWhileSomebodyWatchesNothingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 1)
		m.disk.takes = time.Millisecond
		defer m.logs[0].Watch(func() {})()
		run()
		m.stream()
		if n := m.disk.syncs.Load(); n < 90 {
			t.Errorf("%d syncs in 100 ms, one takes 1 ms and a consumer waits for each", n)
		}
		m.end()
	})
}

func TestALogDoesNotRestWhileItsReaderTakesAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 1)
		m.disk.takes = time.Millisecond
		run()
		m.logs[0].Watch(func() {})() // it has waited, and will come again
		for began := time.Now(); time.Since(began) < followed; time.Sleep(100 * time.Microsecond) {
			m.append(0)
		}
		if n := m.disk.syncs.Load(); n < 18 {
			t.Errorf("%d syncs in 20 ms, one takes 1 ms and a reader follows the log", n)
		}
		m.end()
	})
}

func TestTheEndOfTheSyncerLeavesNothingUnsynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 1)
		m.disk.takes = time.Millisecond
		stop := run()
		m.append(0)
		time.Sleep(m.disk.takes / 2)
		m.append(0)
		time.Sleep(m.disk.takes)
		m.wantRest()
		stop()
		if l := m.logs[0]; l.HighWatermark() != l.End() || len(m.s.mu.easing) != 0 {
			t.Errorf("durable to %d of %d, and %d logs rest", l.HighWatermark(), l.End(), len(m.s.mu.easing))
		}
		m.end()
	})
}

func TestWhoWaitsForSeveralLogsHasNoneRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 1)
		m.disk.takes = time.Millisecond
		run()
		m.append(0)
		time.Sleep(m.disk.takes / 2)
		m.append(0)
		time.Sleep(m.disk.takes)
		m.wantRest()
		l := m.logs[0]
		l.Expect(l.End() - 1) // and waits for another log first
		time.Sleep(m.disk.takes)
		synctest.Wait()
		if l.HighWatermark() != l.End() {
			t.Errorf("durable to %d of %d a sync later", l.HighWatermark(), l.End())
		}
		m.end()
	})
}
