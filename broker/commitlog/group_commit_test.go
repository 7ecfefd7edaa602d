package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// slowDisk takes a while for each sync of a log file and counts them.
type slowDisk struct {
	disk.Real
	syncs atomic.Int64
	takes time.Duration
	fail  string // this file's syncs fail
}

type slowFile struct {
	disk.File
	d    *slowDisk
	path string
}

func (d *slowDisk) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := d.Real.Open(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return slowFile{f, d, path}, nil
}

func (f slowFile) Sync() error {
	if isLog(f.path) {
		f.d.syncs.Add(1)
		time.Sleep(f.d.takes) // virtual time
	}
	if f.path == f.d.fail {
		return errors.New("input/output error")
	}
	return nil
}

func (*slowDisk) SyncDir(string) error { return nil }

func TestOneSyncServesAllWhoAppendedWhileAnotherRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{takes: 10 * time.Millisecond}
		s, stop := runSyncer(t)
		l := openWith(t, logDir(t), Config{Disk: d}, s)
		d.syncs.Store(0)
		began := time.Now()
		first := appendTo(t, l, plain(t, "first"))
		synctest.Wait() // its sync has begun: an idle disk adds no wait
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				a, err := l.Append(plain(t, fmt.Sprint(i)))
				if err == nil {
					err = l.WaitDurable(t.Context(), a.Last)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := l.WaitDurable(t.Context(), first.Last); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != d.takes {
			t.Errorf("the first append waited %s, one sync takes %s", took, d.takes)
		}
		wg.Wait()
		if took := time.Since(began); took != 2*d.takes {
			t.Errorf("the 50 that came meanwhile were done after %s, want one more sync", took)
		}
		if n := d.syncs.Load(); n != 2 {
			t.Errorf("%d syncs for 51 appends, want 2", n)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		stop()
	})
}

func TestLogsAreSyncedSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{takes: 10 * time.Millisecond}
		s, stop := runSyncer(t)
		root, began := t.TempDir(), time.Time{}
		var logs []*Log
		for i := range 8 {
			logs = append(logs, openWith(t, filepath.Join(root, fmt.Sprint("t-", i)), Config{Disk: d}, s))
		}
		began = time.Now()
		for _, l := range logs {
			appendTo(t, l, plain(t, "a"))
		}
		for _, l := range logs {
			if err := l.WaitDurable(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != d.takes {
			t.Errorf("8 logs were durable after %s, one sync takes %s", took, d.takes)
		}
		for _, l := range logs {
			l.Close()
		}
		stop()
	})
}

func TestNothingIsReadBeforeItIsDurable(t *testing.T) {
	l := openWith(t, logDir(t), Config{}, NewSyncer(SyncerConfig{})) // nobody runs it
	a := appendTo(t, l, plain(t, "a"))
	if l.End() != 1 || l.HighWatermark() != 0 {
		t.Fatalf("end %d, high watermark %d, want 1 and 0", l.End(), l.HighWatermark())
	}
	wantValues(t, l)
	if at, _, err := l.OffsetForTime(0); at != -1 || err != nil {
		t.Fatalf("a time lookup sees offset %d, %v, before it is durable", at, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	wantErr(t, l.WaitDurable(ctx, a.Last), context.DeadlineExceeded)
	l.sync()
	if err := l.WaitDurable(t.Context(), a.Last); err != nil {
		t.Fatal(err)
	}
	wantValues(t, l, "a")
}

func TestTheSyncerEndsOnlyWhenNothingIsLeft(t *testing.T) {
	s, stop := runSyncer(t)
	l := openWith(t, logDir(t), Config{}, s)
	for i := range 20 {
		appendTo(t, l, plain(t, fmt.Sprint(i)))
	}
	stop()
	if l.HighWatermark() != 20 {
		t.Fatalf("high watermark %d after the syncer ended, want 20", l.HighWatermark())
	}
}

func TestWatchersHearOfEachRise(t *testing.T) {
	s, _ := runSyncer(t)
	l := openWith(t, logDir(t), Config{}, s)
	rose := make(chan struct{}, 1)
	cancel := l.Watch(func() {
		select {
		case rose <- struct{}{}:
		default:
		}
	})
	for i := range record.Offset(10) {
		appendTo(t, l, plain(t, "a"))
		for l.HighWatermark() <= i {
			<-rose
		}
	}
	cancel()
	if n := len(l.mu.watchers); n != 0 {
		t.Fatalf("%d watchers are left after cancel", n)
	}
}

func TestCloseWakesWhoWaits(t *testing.T) {
	l := openWith(t, logDir(t), Config{}, NewSyncer(SyncerConfig{}))
	ended := make(chan struct{}, 10)
	defer l.Watch(func() { ended <- struct{}{} })()
	waiter := make(chan error, 1)
	go func() { waiter <- l.WaitDurable(context.Background(), 100) }()
	closeLog(t, l)
	<-ended
	wantErr(t, <-waiter, ErrClosed)
	_, err := l.Append(plain(t, "a"))
	wantErr(t, err, ErrClosed)
	_, err = l.Read(0, 1)
	wantErr(t, err, ErrClosed)
	_, _, err = l.OffsetForTime(0)
	wantErr(t, err, ErrClosed)
	_, _, err = l.MaxTimestamp()
	wantErr(t, err, ErrClosed)
	closeLog(t, l) // twice is fine
}

// Writers, readers, retention and lookups at once, for the race detector.
func TestManyUseOneLogAtTheSameTime(t *testing.T) {
	s, _ := runSyncer(t)
	l := openWith(t, logDir(t), Config{SegmentBytes: 4000, RetentionBytes: 20000, IndexInterval: 100}, s)
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	for w := range int64(3) {
		writers.Go(func() {
			for i := range int32(150) {
				a, err := l.Append(sequenced(t, w, 0, i, 1))
				if err == nil && i%10 == 0 {
					err = l.WaitDurable(t.Context(), a.Last)
				}
				if err != nil && !(i == 0 || a.Duplicate) {
					t.Errorf("producer %d, sequence %d: %v", w, i, err)
					return
				}
			}
		})
	}
	other := func(f func() error) {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	other(func() error { return l.Retain(time.Now()) })
	other(func() error {
		_, _, err := l.OffsetForTime(1000)
		if err == nil {
			_, _, err = l.MaxTimestamp()
		}
		return err
	})
	for range 2 {
		other(func() error {
			span, err := l.Read(max(l.Start(), l.HighWatermark()-20), 3000)
			if err != nil {
				return nil // retention was quicker
			}
			defer span.Release()
			b, err := span.AppendTo(nil)
			if err == nil && len(b) > 0 && !record.CheckCRC(b) {
				err = fmt.Errorf("a span at %d is unsound", span.Base)
			}
			return err
		})
	}
	writers.Wait()
	close(done)
	others.Wait()
}
