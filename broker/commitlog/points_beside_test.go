package commitlog

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// Whoever waits for the disk, and whoever appends, waits for no file but the batches': neither while a recovery point is
// written, nor while a segment is deleted.
func TestSyncsGoOnBesideRecoveryPointsAndDeletions(t *testing.T) {
	for _, c := range []struct {
		slow string // what takes its time
		work func(*Log) error
	}{
		{"sync " + indexSuffix, func(l *Log) error { l.writePoint(); return nil }},
		{"sync " + timesSuffix, func(l *Log) error { l.writePoint(); return nil }},
		{"rename " + checkpointFile, func(l *Log) error { l.writePoint(); return nil }},
		{"syncdir", func(l *Log) error { l.writePoint(); return nil }},
		{"remove " + logSuffix, func(l *Log) error { return l.DeleteBefore(2) }},
	} {
		t.Run(c.slow, func(t *testing.T) {
			s, stop := runSyncer(t)
			fsys := crashdisk.New()
			l := openWith(t, logDir(t), Config{Disk: fsys, IndexInterval: 1}, s)
			for range 3 {
				appendTo(t, l, plain(t, "a"))
				l.rollNow(t)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			durable := func() {
				t.Helper()
				if err := l.WaitDurable(ctx, appendTo(t, l, plain(t, "b")).Last); err != nil {
					t.Fatal(err)
				}
			}
			durable()
			begun, goOn := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(goOn) })
			defer release()
			slowly(fsys, c.slow, begun, goOn)
			worked := make(chan error, 1)
			go func() { worked <- c.work(l) }()
			select {
			case <-begun:
			case <-ctx.Done():
				t.Fatalf("nothing did %s", c.slow)
			}
			for range 3 {
				durable()
			}
			release()
			if err := <-worked; err != nil {
				t.Error(err)
			}
			closeLog(t, l)
			stop()
		})
	}
}

// slowly has the first operation of a kind wait on files whose names end so: begun is closed when it is there.
func slowly(fsys *crashdisk.Disk, which string, begun, goOn chan struct{}) {
	kind, suffix, _ := strings.Cut(which, " ")
	fsys.SetFault(func(op, path string, n int) (int, error) {
		if op == kind && strings.HasSuffix(strings.TrimSuffix(path, tmpSuffix), suffix) {
			select {
			case <-begun:
			default:
				close(begun)
				<-goOn
			}
		}
		return n, nil
	})
}
