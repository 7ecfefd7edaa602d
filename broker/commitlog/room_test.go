package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// onDisk is what a log's segments and indexes take in its folder.
func onDisk(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, suffix := range []string{logSuffix, indexSuffix, timesSuffix, abortSuffix} {
		names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			n += info.Size()
		}
	}
	return n
}

func bytesOf(pieces []Piece) (n int64) {
	for _, p := range pieces {
		n += p.Bytes
	}
	return n
}

func TestPiecesSayWhatTheSegmentsTake(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Config{SegmentBytes: 1000, IndexInterval: 1})
	for range 40 {
		if _, err := l.Append(plain(t, "one", "two")); err != nil {
			t.Fatal(err)
		}
	}
	pieces := l.Pieces(nil)
	next := record.Offset(0)
	for i, p := range pieces {
		if p.Base != next || p.Next <= p.Base || p.Sealed != (i < len(pieces)-1) || time.Since(p.Written) > time.Minute {
			t.Errorf("segment %d of %d is %+v, want it to begin at %d", i, len(pieces), p, next)
		}
		next = p.Next
	}
	if len(pieces) < 3 || next != 80 {
		t.Errorf("%d segments up to %d", len(pieces), next)
	}
	want := bytesOf(pieces)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := onDisk(t, dir); n != want {
		t.Errorf("the pieces have %d bytes, the files %d", want, n)
	}
	again := open(t, dir, Config{SegmentBytes: 1000, IndexInterval: 1}) // its indexes are not open yet
	if n := bytesOf(again.Pieces(nil)); n != want {
		t.Errorf("opened again the pieces have %d bytes, the files %d", n, want)
	}
	a, err := again.Append(plain(t, "three"))
	if err != nil || a.Base != 80 {
		t.Fatalf("appended at %d, %v", a.Base, err)
	}
	if got := append(again.Pieces([]Piece{{Base: -1}}), Piece{}); got[0].Base != -1 || got[1].Base != 0 {
		t.Error("Pieces does not append to what it is given")
	}
}

func TestASealedSegmentGoesForRoomAndNothingBehindTheOffset(t *testing.T) {
	var told []Deletion
	l := open(t, t.TempDir(), Config{Deleted: func(d Deletion) { told = append(told, d) }})
	if err := l.Seal(); err != nil || len(l.Pieces(nil)) != 1 {
		t.Fatalf("sealing an empty log: %v", err)
	}
	for range 3 {
		if _, err := l.Append(plain(t, "one", "two")); err != nil {
			t.Fatal(err)
		}
		if err := l.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	pieces := l.Pieces(nil)
	f, err := l.DeleteForRoom(3) // within the second
	if err != nil || f.From != 0 || f.To != 2 || f.Segments != 1 || f.Bytes != pieces[0].Bytes {
		t.Errorf("freed %+v, %v, want the first of %+v", f, err, pieces)
	}
	if l.Start() != 2 {
		t.Errorf("the log begins at %d", l.Start())
	}
	if f, err = l.DeleteForRoom(1 << 40); err != nil || f.From != 2 || f.To != 6 || f.Segments != 2 || l.Start() != 6 || l.End() != 6 {
		t.Errorf("freed %+v, %v, and the log is %d to %d, want all but the segment that is written", f, err, l.Start(), l.End())
	}
	if f, err = l.DeleteForRoom(1 << 40); err != nil || f.Segments != 0 {
		t.Errorf("freed %+v, %v, want nothing more", f, err)
	}
	if len(told) != 2 || told[0].Reason != ReasonRoom || told[1].From != 2 || told[1].To != 6 {
		t.Errorf("told of %+v", told)
	}
	if a, err := l.Append(plain(t, "three")); err != nil || a.Base != 6 {
		t.Errorf("appended at %d, %v", a.Base, err)
	}
}

func TestWhatIsNotOnTheDiskYetDoesNotGoForRoom(t *testing.T) {
	l := openWith(t, t.TempDir(), Config{}, NewSyncer(SyncerConfig{})) // which never runs
	if _, err := l.Append(plain(t, "one")); err != nil {
		t.Fatal(err)
	}
	if err := l.Seal(); err != nil {
		t.Fatal(err)
	}
	if p := l.Pieces(nil); len(p) != 2 || p[0].Sealed {
		t.Errorf("the pieces are %+v, want the first not to be sealed before a sync", p)
	}
	if f, err := l.DeleteForRoom(1); err != nil || f.Segments != 0 {
		t.Errorf("freed %+v, %v", f, err)
	}
	l.sync()
	if f, err := l.DeleteForRoom(1); err != nil || f.Segments != 1 {
		t.Errorf("after the sync freed %+v, %v", f, err)
	}
}

func TestAClosedLogIsNotSealed(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Append(plain(t, "one")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Seal(); !errors.Is(err, ErrClosed) {
		t.Errorf("sealing gives %v, want ErrClosed", err)
	}
	if f, err := l.DeleteForRoom(1); err != nil || f.Segments != 0 {
		t.Errorf("freed %+v, %v", f, err)
	}
}

// On a disk without room for a recovery point the records go before their bytes do: each is told once.
func TestRecordsThatGoBeforeTheirBytesAreToldOnce(t *testing.T) {
	fsys := crashdisk.New()
	l := open(t, t.TempDir(), Config{Disk: fsys})
	for i := range 3 {
		if i == 1 {
			fsys.SetFault(func(op, path string, n int) (int, error) {
				if op == "write" && strings.HasPrefix(filepath.Base(path), "commitlog-") {
					return 0, syscall.ENOSPC
				}
				return n, nil
			})
		}
		appendTo(t, l, plain(t, "one", "two"))
		if err := l.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	f, err := l.DeleteForRoom(6)
	if !errors.Is(err, syscall.ENOSPC) || f.From != 0 || f.To != 6 || l.Start() != 6 || f.Segments == 3 {
		t.Errorf("on a full disk freed %+v, %v, the log begins at %d: want all records gone, and not all bytes", f, err, l.Start())
	}
	gone := f.Segments
	fsys.SetFault(nil)
	if f, err = l.DeleteForRoom(6); err != nil || f.From != 6 || f.To != 6 || f.Segments+gone != 3 || f.Bytes == 0 {
		t.Errorf("with room freed %+v, %v, want the bytes that were left", f, err)
	}
}
