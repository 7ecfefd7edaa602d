package commitlog

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// Which file a failed sync of the whole disk was about is not told; the log whose own
// sync fails is the one, and a log that was not among them must not be forgotten.
func TestAFailedSyncOfTheWholeDiskFailsTheLogThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 6)
		m.whole.err = errors.New("input/output error")
		m.disk.fail = filepath.Join(m.logs[3].Dir(), segmentName(0, logSuffix))
		for i := range m.logs {
			m.append(i)
		}
		run()
		time.Sleep(time.Second)
		for i, l := range m.logs {
			switch err := l.Err(); {
			case i == 3 && (!errors.Is(err, ErrFailed) || l.HighWatermark() != 0):
				t.Errorf("the log whose file cannot be synced: %v, durable to %d", err, l.HighWatermark())
			case i != 3 && (err != nil || l.HighWatermark() != 1):
				t.Errorf("log %d: %v, durable to %d", i, err, l.HighWatermark())
			}
		}
		m.logs = append(m.logs[:3], m.logs[4:]...)
		m.whole.err = nil
		time.Sleep(longestRest) // it was slow too
		for range 5 {
			m.appendAll()
		}
		if n := m.whole.syncs.Load(); n != 1 {
			t.Errorf("the whole disk was synced %d times, want never again after a failure", n)
		}
		m.end()
	})
}

// The kernel says once that a write failed. When another caller is told, as who makes a
// topic's logs durable, the next window must not take the disk's word for its own logs.
func TestAFailureThatAnotherWasToldOfIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, run := openMany(t, 6)
		other := m.s.Whole(m.logs[0].Dir())
		m.whole.err = errors.New("input/output error")
		m.disk.fail = filepath.Join(m.logs[3].Dir(), segmentName(0, logSuffix))
		for i := range m.logs {
			m.append(i) // and the kernel fails to write those of one
		}
		if err := other.Sync(); err == nil {
			t.Fatal("the sync did not fail")
		}
		m.whole.err = nil // it has been told
		run()
		time.Sleep(time.Second)
		if l := m.logs[3]; !errors.Is(l.Err(), ErrFailed) || l.HighWatermark() != 0 {
			t.Errorf("the log whose file cannot be synced: %v, durable to %d", l.Err(), l.HighWatermark())
		}
		if m.s.Whole(m.logs[0].Dir()) != nil {
			t.Error("who makes the next topic is given a disk that cannot be believed")
		}
		m.logs = append(m.logs[:3], m.logs[4:]...)
		m.end()
	})
}
