package commitlog

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// pointOf is where a log's recovery point lies that is on the disk.
func pointOf(t *testing.T, l *Log) checkpoint {
	t.Helper()
	c, err := loadCheckpoint(l.fs, l.Dir())
	if err != nil || c == nil {
		t.Fatalf("recovery point of %s: %v, %v", l.Name(), c, err)
	}
	return *c
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// However many logs there are, what lies behind their recovery points is bounded: those with most get new ones.
func TestWhatLiesBehindAllRecoveryPointsIsBounded(t *testing.T) {
	const most = 100 << 10
	s := NewSyncer(SyncerConfig{Behind: most})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	dir := t.TempDir()
	var logs []*Log
	for i := range 20 {
		l, err := Open(filepath.Join(dir, fmt.Sprintf("web_log-%d", i)), Config{}, s)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	behind := func() (n int64) {
		for _, l := range logs {
			n += int64(sizeOf(l)) - pointOf(t, l).position
		}
		return n
	}
	value := string(make([]byte, 1000))
	for range 30 {
		for i, l := range logs {
			if i > 0 { // the first has one batch only, and is not worth a recovery point
				appendTo(t, l, plain(t, value))
			}
		}
	}
	a := appendTo(t, logs[0], plain(t, value))
	for _, l := range logs {
		if err := l.WaitDurable(t.Context(), l.End()-1); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "recovery points", func() bool { return behind() <= most })
	if c := pointOf(t, logs[0]); c.end > a.Base {
		t.Errorf("the log with least behind its point got a new one, at %d", c.end)
	}
	for _, l := range logs {
		l.Abandon() // as a kill does
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var read int64
	for _, old := range logs {
		l := open(t, old.Dir(), Config{RecheckBytes: 1})
		if l.End() != old.End() {
			t.Errorf("%s ends at %d, want %d", l.Name(), l.End(), old.End())
		}
		read += l.Rechecked()
	}
	if read > most+20*5000 { // and a little before each point: to the next index entry
		t.Errorf("%d bytes were read again, want at most %d", read, most)
	}
}

// A recovery point that still holds is kept over a kill: opening a log writes nothing.
func TestOpeningAfterAKillKeepsTheRecoveryPoint(t *testing.T) {
	l := open(t, logDir(t), Config{})
	appendTo(t, l, plain(t, "a"))
	closeLog(t, l)
	s, stop := runSyncer(t)
	defer stop()
	l = openWith(t, l.Dir(), Config{}, s)
	before := readFile(t, filepath.Join(l.Dir(), checkpointFile))
	appendTo(t, l, plain(t, "b"))
	if err := l.WaitDurable(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.Abandon()
	again := open(t, l.Dir(), Config{})
	wantValues(t, again, "a", "b")
	if after := readFile(t, filepath.Join(l.Dir(), checkpointFile)); string(after) != string(before) {
		t.Errorf("the recovery point was\n%s\nnow\n%s", before, after)
	}
	closeLog(t, again)
	if c := pointOf(t, again); c.end != 2 || !c.clean {
		t.Errorf("after a clean end the point is %+v", c)
	}
}
