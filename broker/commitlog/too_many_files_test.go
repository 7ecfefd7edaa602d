package commitlog

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

// fewFiles is a disk on which folders cannot be opened for a while.
type fewFiles struct {
	disk.FS
	refuse atomic.Int32 // how often
}

func (f *fewFiles) SyncDir(dir string) error {
	if f.refuse.Add(-1) >= 0 {
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.EMFILE}
	}
	return f.FS.SyncDir(dir)
}

// A sync that cannot open its file has not failed: it is tried again, nothing is acknowledged until then, and whoever
// runs the broker is told once what to raise.
func TestASyncWithoutADescriptorIsTriedAgain(t *testing.T) {
	for _, what := range []string{"segment", "folder"} {
		t.Run(what, func(t *testing.T) {
			s, stop := runSyncer(t)
			var said bytes.Buffer
			crash := crashdisk.New()
			fsys := &fewFiles{FS: crash}
			l := openWith(t, logDir(t), Config{Disk: fsys, Logger: slog.New(slog.NewTextHandler(&said, nil))}, s)
			wait := func(l *Log) error {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				return l.WaitDurable(ctx, l.End()-1)
			}
			appendTo(t, l, plain(t, "a"))
			if err := wait(l); err != nil {
				t.Fatal(err)
			}
			refused := func() bool { return fsys.refuse.Load() <= 0 }
			l.syncing.Lock() // until all is prepared
			if what == "folder" {
				fsys.refuse.Store(3)
				l.rollNow(t)
			}
			appendTo(t, l, plain(t, "b"))
			if what == "segment" {
				refused = refuseOpening(crash, logSuffix, 3)
				if err := l.appending.active.close(); err != nil {
					t.Fatal(err)
				}
			}
			l.syncing.Unlock()
			if err := wait(l); err != nil {
				t.Fatal(err)
			}
			if !refused() {
				t.Error("it is durable, and its files could not be opened")
			}
			wantValues(t, l, "a", "b")
			closeLog(t, l)
			stop()
			if n := strings.Count(said.String(), "LimitNOFILE"); n != 1 {
				t.Errorf("it was told %d times:\n%s", n, said.String())
			}
		})
	}
}

// refuseOpening has files whose names end so not be opened so often; done says that it was.
func refuseOpening(d *crashdisk.Disk, suffix string, times int32) (done func() bool) {
	var left atomic.Int32
	left.Store(times)
	d.SetFault(func(op, path string, n int) (int, error) {
		if op == "open" && strings.HasSuffix(path, suffix) && left.Add(-1) >= 0 {
			return n, syscall.EMFILE
		}
		return n, nil
	})
	return func() bool { return left.Load() <= 0 }
}

// After a sync of the whole disk has failed, a file that cannot be opened can never be told to be on the disk.
func TestWhatCannotBeOpenedAfterAFailedSyncIsGivenUp(t *testing.T) {
	s, stop := runSyncer(t)
	defer stop()
	crash := crashdisk.New()
	l := openWith(t, logDir(t), Config{Disk: crash}, s)
	l.syncing.Lock()
	appendTo(t, l, plain(t, "a"))
	p, ok := l.takePending()
	if !ok {
		t.Fatal("there is nothing to sync")
	}
	if err := l.appending.active.close(); err != nil {
		t.Fatal(err)
	}
	refuseOpening(crash, logSuffix, 1)
	_, err := l.commitNow(p)
	l.syncing.Unlock()
	wantErr(t, err, ErrFailed)
	wantErr(t, l.Err(), ErrFailed)
	if l.HighWatermark() != 0 {
		t.Errorf("durable to %d", l.HighWatermark())
	}
}
