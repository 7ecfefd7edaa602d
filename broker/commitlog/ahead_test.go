package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

// layingDisk lays room out, and keeps what was asked of it.
type layingDisk struct {
	unsyncedDisk
	mu  *sync.Mutex
	to  map[string]int64 // by file: up to where room is laid out, as long as it is
	err error

	asked int    // how often room was wanted
	cuts  int    // how often a file's end was set
	while func() // is called when room is wanted; nil: nothing
}

func newLayingDisk() *layingDisk { return &layingDisk{mu: &sync.Mutex{}, to: map[string]int64{}} }

type layingFile struct {
	disk.File
	d    *layingDisk
	name string
}

func (d *layingDisk) Open(path string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := d.unsyncedDisk.Open(path, flag, mode)
	if err != nil {
		return nil, err
	}
	return layingFile{f, d, filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)}, nil
}

func (f layingFile) Reserve(position, size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.asked++
	if f.d.while != nil {
		f.d.while()
	}
	if f.d.err != nil {
		return f.d.err
	}
	f.d.to[f.name] = max(f.d.to[f.name], position+size)
	return nil
}

func (f layingFile) Truncate(size int64) error {
	f.d.mu.Lock()
	delete(f.d.to, f.name)
	f.d.cuts++
	f.d.mu.Unlock()
	return f.File.Truncate(size)
}

// laid is up to where the room of a log's segment reaches; 0: it has none.
func (d *layingDisk) laid(log, segment string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.to[log+"/"+segment]
}

// beyond is how many of some logs have room behind their ends.
func (d *layingDisk) beyond(logs ...*aheadWorld) (n int) {
	for _, l := range logs {
		for _, s := range l.Segments() {
			if d.laid(l.Name(), segmentName(s.Base, logSuffix)) > s.Size {
				n++
			}
		}
	}
	return n
}

// aheadWorld is a log on such a disk, with a clock.
type aheadWorld struct {
	*Log
	now time.Time
}

const aheadSegment = 32 << 20 // room is laid out 2 MiB at a time

func openAhead(t *testing.T, name string, d *layingDisk, s *Syncer) *aheadWorld {
	t.Helper()
	w := &aheadWorld{now: time.Now()}
	w.Log = openWith(t, filepath.Join(t.TempDir(), name), Config{SegmentBytes: aheadSegment, Disk: d, Now: func() time.Time { return w.now }}, s)
	return w
}

// take appends so many batches of half a MiB, with a pause before each.
func (w *aheadWorld) take(t *testing.T, n int, pause time.Duration) {
	t.Helper()
	batch := plain(t, string(make([]byte, 1<<19)))
	for range n {
		w.now = w.now.Add(pause)
		appendTo(t, w.Log, batch)
	}
}

func TestAFastLogHasRoomLaidOutAheadOfItAndASlowOneHasNone(t *testing.T) {
	s, _ := runSyncer(t)
	d := newLayingDisk()
	slow := openAhead(t, "slow-0", d, s)
	slow.take(t, 20, 200*time.Millisecond)
	if d.beyond(slow) != 0 || len(d.to) != 0 {
		t.Errorf("a log of 2.5 MiB/s has room laid out: %v", d.to)
	}
	fast := openAhead(t, "fast-0", d, s)
	for range 20 {
		fast.take(t, 1, time.Millisecond)
		if to := d.laid("fast-0", segmentName(0, logSuffix)); fast.Size() > 6<<20 && (to <= fast.Size() || to > fast.Size()+aheadSegment/aheadShare+1<<20) {
			t.Fatalf("at %d bytes a fast log has room up to %d", fast.Size(), to)
		}
	}
	if info, err := os.Stat(filepath.Join(fast.Dir(), segmentName(0, logSuffix))); err != nil || info.Size() != fast.Size() {
		t.Errorf("the file has %v bytes, %v, the log %d", info, err, fast.Size())
	}
}

func TestRoomAheadIsGivenBackWhenNobodyWritesThere(t *testing.T) {
	s, _ := runSyncer(t)
	d := newLayingDisk()
	l := openAhead(t, "a-0", d, s)
	l.take(t, 16, time.Millisecond)
	if d.laid("a-0", segmentName(0, logSuffix)) == 0 {
		t.Fatal("a fast log has no room laid out")
	}
	l.take(t, 64, time.Millisecond) // into the next segment
	segments := l.Segments()
	if last := segments[len(segments)-1]; len(segments) < 2 || d.beyond(l) != 1 || d.laid("a-0", segmentName(last.Base, logSuffix)) <= last.Size {
		t.Errorf("%d segments, room laid out in %v, want it in the last one alone", len(segments), d.to)
	}
	if err := l.Retain(l.now.Add(idleAhead + time.Second)); err != nil || d.beyond(l) != 0 || s.ahead.Load() != 0 {
		t.Errorf("a log that is idle has room laid out in %v, %v; %d logs count", d.to, err, s.ahead.Load())
	}
	l.take(t, 16, time.Millisecond)
	if d.beyond(l) != 1 {
		t.Error("a log that is fast again has no room laid out")
	}
	closeLog(t, l.Log)
	if d.beyond(l) != 0 || s.ahead.Load() != 0 {
		t.Errorf("a closed log has room laid out in %v; %d logs count", d.to, s.ahead.Load())
	}
}

func TestOnlySoManyLogsHaveRoomLaidOut(t *testing.T) {
	s, _ := runSyncer(t)
	d := newLayingDisk()
	var logs []*aheadWorld
	for i := range aheadLogs + 2 {
		l := openAhead(t, fmt.Sprintf("a-%d", i), d, s)
		l.take(t, 12, time.Millisecond)
		logs = append(logs, l)
	}
	if n := d.beyond(logs...); n != aheadLogs {
		t.Errorf("%d logs have room laid out, want %d", n, aheadLogs)
	}
	logs[0].Abandon() // its topic is deleted
	another := openAhead(t, "b-0", d, s)
	another.take(t, 12, time.Millisecond)
	if n := d.beyond(append(logs[1:], another)...); d.beyond(another) != 1 || n != aheadLogs {
		t.Errorf("%d logs have room laid out, %d of them the one that came when another had gone", n, d.beyond(another))
	}
}

func TestALogGoesOnWhereNoRoomCanBeLaidOut(t *testing.T) {
	for _, c := range []struct {
		err  error
		cuts int // what a disk that is full had laid out of it is given back; setting a file's end may wait for all its bytes elsewhere
	}{{syscall.ENOSPC, 1}, {disk.ErrNoReserve, 0}} {
		s, _ := runSyncer(t)
		d := newLayingDisk()
		d.err = c.err
		l := openAhead(t, "a-0", d, s)
		l.take(t, 60, time.Millisecond)
		if l.End() != 60 || s.ahead.Load() != 0 || d.asked != 1 || d.cuts != c.cuts {
			t.Errorf("%v: the log ends at %d, %d logs count as having room, it was wanted %d times, the file's end was set %d times, want %d",
				c.err, l.End(), s.ahead.Load(), d.asked, d.cuts, c.cuts)
		}
	}
}

func TestADiskThatIsSlowToLayRoomOutIsAskedOnceASegment(t *testing.T) {
	s, _ := runSyncer(t)
	d := newLayingDisk()
	l := openAhead(t, "a-0", d, s)
	d.while = func() { l.now = l.now.Add(2 * slowAhead) }
	l.take(t, 60, time.Millisecond)
	if d.asked != 1 {
		t.Errorf("in one segment it was asked %d times", d.asked)
	}
	l.take(t, 60, time.Millisecond)
	if d.asked != 2 || d.beyond(l) > 1 {
		t.Errorf("in two segments it was asked %d times, %d have room", d.asked, d.beyond(l))
	}
}

func TestALogWhoseSegmentsNoBudgetBoundsHasNoRoomLaidOut(t *testing.T) {
	s, _ := runSyncer(t)
	d := newLayingDisk()
	l := openAhead(t, "a-0", d, s)
	if err := l.SetConfig(Config{SegmentBytes: aheadSegment, Compact: true, Disk: d, Now: func() time.Time { return l.now }}); err != nil {
		t.Fatal(err)
	}
	l.take(t, 40, time.Millisecond)
	if d.asked != 0 {
		t.Errorf("room was wanted %d times", d.asked)
	}
}

func TestRoomThatACrashLeftBehindTheEndIsGivenBack(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{Disk: disk.Real{}})
	appendTo(t, l, plain(t, "one"))
	closeLog(t, l)
	f, err := disk.Real{}.Open(firstLog(dir), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, can := f.(disk.Reserver)
	if !can {
		t.Fatal("a real file lays no room out")
	}
	if err := r.Reserve(0, 4<<20); errors.Is(err, disk.ErrNoReserve) {
		t.Skipf("the file system of %s lays no room out: ext4 and XFS do", dir)
	} else if err != nil {
		t.Fatal(err)
	}
	before, err := f.Stat()
	if err != nil || disk.Reserved(before) < 3<<20 {
		t.Fatalf("%d bytes are laid out, %v", disk.Reserved(before), err)
	}
	written := time.Now().Add(-48 * time.Hour).Truncate(time.Second)
	if err := os.Chtimes(firstLog(dir), written, written); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, Config{Disk: disk.Real{}})
	after, err := f.Stat()
	if err != nil || disk.Reserved(after) > 1<<20 || after.Size() != before.Size() || l.End() != 1 {
		t.Errorf("%d bytes are laid out after the start, %v; the file has %d bytes of %d, the log ends at %d", disk.Reserved(after), err, after.Size(), before.Size(), l.End())
	}
	if !after.ModTime().Equal(written) {
		t.Errorf("its last write counts as of %s, want %s: retention would keep it longer after every start", after.ModTime(), written)
	}
}
