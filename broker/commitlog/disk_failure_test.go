package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/disk/crashdisk"
)

func isLog(path string) bool { return strings.HasSuffix(path, logSuffix) }

func TestAFullDiskRefusesAndTheLogGoesOnWhenThereIsRoom(t *testing.T) {
	for room := 0; room < 80; room += 5 {
		fsys := crashdisk.New()
		l := open(t, logDir(t), Config{Disk: fsys})
		appendTo(t, l, sequenced(t, 7, 0, 0, 1))
		fsys.SetFault(func(op, path string, n int) (int, error) {
			if op == "write" && isLog(path) {
				return min(room, n), syscall.ENOSPC
			}
			return n, nil
		})
		_, err := l.Append(sequenced(t, 7, 0, 1, 2))
		var storage *StorageError
		if !errors.As(err, &storage) || storage.Fatal || !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrFailed) {
			t.Fatalf("want a passing storage error, got %v", err)
		}
		for _, part := range []string{"00000000000000000000.log", "position ", "no space left", "free space"} {
			if !strings.Contains(err.Error(), part) {
				t.Fatalf("the error must say %q: %v", part, err)
			}
		}
		wantValues(t, l, "7/0/0")
		fsys.SetFault(nil)
		if a := appendTo(t, l, sequenced(t, 7, 0, 1, 2)); a.Base != 1 || a.Duplicate {
			t.Fatalf("want the batch at 1 when there is room again, got %+v", a)
		}
		wantValues(t, l, "7/0/0", "7/0/1", "7/0/2")
		l, cuts := reopen(t, copyDir(t, l.Dir()))
		if len(cuts) != 0 {
			t.Fatalf("torn bytes were left: %q", cuts)
		}
		wantValues(t, l, "7/0/0", "7/0/1", "7/0/2")
	}
}

func TestTornBytesThatCannotBeTakenBackFailTheLog(t *testing.T) {
	fsys := crashdisk.New()
	l := open(t, logDir(t), Config{Disk: fsys})
	appendTo(t, l, plain(t, "a"))
	fsys.SetFault(func(op, path string, n int) (int, error) {
		if isLog(path) && (op == "write" || op == "truncate") {
			return 7, syscall.EIO
		}
		return n, nil
	})
	_, err := l.Append(plain(t, "b"))
	wantErr(t, err, ErrFailed)
	fsys.SetFault(nil)
	_, err = l.Append(plain(t, "b"))
	wantErr(t, err, ErrFailed)
	wantValues(t, l, "a")
	if err := l.Close(); err != nil {
		t.Fatalf("closing a failed log: %v", err)
	}
	l, cuts := reopen(t, l.Dir())
	if len(cuts) != 1 {
		t.Fatalf("the restart must cut the torn bytes, got %q", cuts)
	}
	appendTo(t, l, plain(t, "b"))
	wantValues(t, l, "a", "b")
}

func TestAFailedSyncFailsTheLogForGoodAndIsNotTriedAgain(t *testing.T) {
	fsys := crashdisk.New()
	s, stop := runSyncer(t)
	l := openWith(t, logDir(t), Config{Disk: fsys}, s)
	a := appendTo(t, l, plain(t, "a"))
	if err := l.WaitDurable(context.Background(), a.Last); err != nil {
		t.Fatal(err)
	}
	syncs := make(chan struct{}, 100)
	fsys.SetFault(func(op, path string, n int) (int, error) {
		if op == "sync" && isLog(path) {
			syncs <- struct{}{}
			return n, syscall.EIO
		}
		return n, nil
	})
	told := make(chan struct{}, 1)
	cancel := l.Watch(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	defer cancel()
	a = appendTo(t, l, plain(t, "b"))
	err := l.WaitDurable(context.Background(), a.Last)
	wantErr(t, err, ErrFailed)
	wantErr(t, err, syscall.EIO)
	<-told
	wantErr(t, l.Err(), ErrFailed)
	_, err = l.Append(plain(t, "c"))
	wantErr(t, err, ErrFailed)
	wantValues(t, l, "a") // what was durable is still served, what was not is not
	if l.HighWatermark() != 1 {
		t.Fatalf("high watermark is %d, want 1", l.HighWatermark())
	}
	l.Close()
	stop()
	if n := len(syncs); n != 1 {
		t.Fatalf("the log file was synced %d times after it failed, want once", n)
	}
}

// Every third operation on the disk fails once, in turn, from a random one on;
// whatever was acknowledged is
// there afterwards and the log opens.
func TestAnyOperationMayFail(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		for at := rand.IntN(3); ; at += 3 {
			fsys := crashdisk.New()
			count, hit := 0, false
			fsys.SetFault(func(op, path string, n int) (int, error) {
				if count++; count == at+1 {
					hit = true
					return n / 2, cause
				}
				return n, nil
			})
			acked, sent := liveThrough(t, fsys, logDir(t))
			if !hit {
				break
			}
			if acked > sent {
				t.Fatalf("operation %d, %v: %d acknowledged of %d sent", at, cause, acked, sent)
			}
		}
	}
}

// liveThrough runs a short life on fsys, in which anything may fail, and checks
// what a power cut at its end leaves.
func liveThrough(t *testing.T, fsys *crashdisk.Disk, dir string) (acked, sent int) {
	t.Helper()
	var values []string
	l, err := Open(dir, Config{SegmentBytes: 300, Disk: fsys}, nil)
	for tries := 0; err != nil; tries++ {
		if tries > 1 {
			t.Fatalf("the log does not open though the disk is well again: %v", err)
		}
		l, err = Open(dir, Config{SegmentBytes: 300, Disk: fsys}, nil)
	}
	for i := range 8 {
		value := fmt.Sprint(i)
		a, err := l.Append(plain(t, value))
		if errors.Is(err, ErrFailed) {
			if int(l.End()) > len(values) {
				values = append(values, value) // written, never acknowledged
			}
			break
		}
		if err != nil {
			continue
		}
		if int(a.Base) != len(values) {
			t.Fatalf("batch went to %d, want %d", a.Base, len(values))
		}
		values, acked = append(values, value), len(values)+1
		if i == 5 {
			l.Retain(l.mu.cfg.Now())
			if l.DeleteBefore(0) != nil {
				t.Log("trimming failed")
			}
		}
	}
	if rand.IntN(2) == 0 {
		l.Close()
	}
	cut := powerCut(t, fsys, rand.New(rand.NewPCG(uint64(acked), 3)), dir)
	l.Close()
	re, err := Open(cut, Config{}, nil)
	if err != nil {
		t.Fatalf("opening after the cut: %v", err)
	}
	defer re.Close()
	got, err := valuesFrom(re, 0, 1<<20)
	if err != nil || len(got) < acked || len(got) > len(values) {
		t.Fatalf("%d acknowledged and %d written, read %q, %v", acked, len(values), got, err)
	}
	sameValues(t, got, values[:len(got)])
	return acked, len(values)
}

func TestAFileThatCannotBeReadIsNotCut(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a"))
	dir = copyDir(t, dir)
	before := readFile(t, firstLog(dir))
	fsys := &unreadable{}
	_, err := Open(dir, Config{Disk: fsys, Cut: func(c Cut) { t.Errorf("unreadable is not damaged: %s", c) }}, nil)
	var storage *StorageError
	if !errors.As(err, &storage) || filepath.Base(storage.Path) != "00000000000000000000.log" {
		t.Fatalf("want the file named, got %v", err)
	}
	if after := readFile(t, firstLog(dir)); string(after) != string(before) {
		t.Fatalf("the file has changed")
	}
}

// unreadable is a disk whose segment files cannot be read.
type unreadable struct{ disk.Real }

type unreadableFile struct{ disk.File }

func (u *unreadable) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := u.Real.Open(path, flag, mode)
	if err == nil && isLog(path) {
		f = unreadableFile{f}
	}
	return f, err
}

func (unreadableFile) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }

func TestAMissingSegmentBehindTheRecoveryPointEndsTheLog(t *testing.T) {
	var l Log
	if !l.follows(5, 5, &checkpoint{end: 3}) || l.follows(6, 5, &checkpoint{end: 3}) || l.follows(4, 5, nil) {
		t.Error("behind the point offsets follow each other")
	}
	if !l.follows(6, 5, &checkpoint{end: 9}) || !l.follows(6, 5, nil) {
		t.Error("before the point, or without one, gaps are compaction's, or a file is lost")
	}
}
