package commitlog

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// segmentNames are the log files in a folder.
func segmentNames(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

func wantSegments(t testing.TB, l *Log, bases ...int) {
	t.Helper()
	var want []string
	for _, b := range bases {
		want = append(want, fmt.Sprintf("%020d.log", b))
	}
	if got := segmentNames(t, l.Dir()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("want segments %q, got %q", want, got)
	}
}

func TestSegmentsGoByTheAgeOfTheirLastAppend(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{SegmentBytes: 100, RetentionAge: time.Hour, Now: c.Now})
	for i := range 4 {
		appendTo(t, l, plain(t, fmt.Sprint(i))) // record time 1970: of no interest
		c.advance(20 * time.Minute)
	}
	retain(t, l, c) // the first append is 80 minutes old, the second 60
	wantSegments(t, l, 1, 2, 3)
	if l.Start() != 1 {
		t.Fatalf("log start is %d, want 1", l.Start())
	}
	wantValues(t, l, "1", "2", "3")
	c.advance(time.Hour + time.Minute)
	retain(t, l, c) // all are too old: the active one is rolled and goes too
	wantSegments(t, l, 4)
	wantValues(t, l)
	if a := appendTo(t, l, plain(t, "next")); a.Base != 4 {
		t.Fatalf("the next record got %d, want 4", a.Base)
	}
	dir := copyDir(t, l.Dir())
	re := open(t, dir, Config{})
	if re.Start() != 4 || re.End() != 5 {
		t.Fatalf("after a kill the log is %d to %d, want 4 to 5", re.Start(), re.End())
	}
}

func TestSegmentsGoBySizeOldestFirstAndNeverTheActiveOne(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{SegmentBytes: 100, RetentionBytes: 200, Now: c.Now})
	for i := range 6 {
		appendTo(t, l, plain(t, fmt.Sprint(i)))
	}
	retain(t, l, c) // each batch has 69 bytes: 3 are enough for 200
	wantSegments(t, l, 3, 4, 5)
	if err := l.SetConfig(Config{SegmentBytes: 100, RetentionBytes: 1}); err != nil {
		t.Fatal(err)
	}
	retain(t, l, c)
	wantSegments(t, l, 5)
	wantValues(t, l, "5")
}

func TestASegmentIsRolledByAgeOnTheWallClock(t *testing.T) {
	c := newClock()
	dir := logDir(t)
	l := open(t, dir, Config{SegmentAge: time.Hour, Now: c.Now})
	retain(t, l, c)
	c.advance(2 * time.Hour)
	retain(t, l, c) // nothing in it: nothing to roll
	wantSegments(t, l, 0)
	appendTo(t, l, plain(t, "a"))
	c.advance(50 * time.Minute)
	appendTo(t, l, plain(t, "b"))
	closeLog(t, l)
	l = open(t, dir, Config{SegmentAge: time.Hour, Now: c.Now}) // the age outlives a restart
	c.advance(11 * time.Minute)
	appendTo(t, l, plain(t, "c"))
	wantSegments(t, l, 0, 2)
	c.advance(61 * time.Minute)
	retain(t, l, c)
	wantSegments(t, l, 0, 2, 3)
	wantValues(t, l, "a", "b", "c")
}

func TestASpanOutlivesTheDeletionOfItsSegment(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{SegmentBytes: 100, RetentionAge: time.Hour, Now: c.Now})
	appendTo(t, l, plain(t, "a"))
	appendTo(t, l, plain(t, "b"))
	span, err := l.Read(0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	handle := span.handle
	c.advance(2 * time.Hour)
	retain(t, l, c)
	wantSegments(t, l, 2)
	b := make([]byte, span.Length)
	if _, err := span.File.ReadAt(b, span.Position); err != nil {
		t.Fatalf("reading a held span: %v", err)
	}
	span.Release()
	span.Release()
	if n := handle.refs.Load(); n != 0 {
		t.Fatalf("%d references are left to the deleted file", n)
	}
	_, err = l.Read(0, 1)
	wantErr(t, err, ErrOffsetOutOfRange)
}

func TestDeleteBeforeIsDurableAndMayPointIntoABatch(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 100})
	for _, v := range []string{"a", "b", "c"} {
		appendTo(t, l, plain(t, v+"1", v+"2"))
	}
	if err := l.DeleteBefore(3); err != nil {
		t.Fatal(err)
	}
	wantSegments(t, l, 2, 4)
	wantValues(t, l, "b2", "c1", "c2")
	if span, err := l.Read(3, 1); err != nil || span.Base != 2 {
		t.Fatalf("the batch that holds 3 begins at 2: got %+v, %v", span, err)
	} else {
		span.Release()
	}
	wantErr(t, l.DeleteBefore(7), ErrOffsetOutOfRange)
	re := open(t, copyDir(t, dir), Config{})
	wantValues(t, re, "b2", "c1", "c2")
	if err := re.DeleteBefore(6); err != nil {
		t.Fatal(err)
	}
	wantSegments(t, re, 6)
	re = open(t, copyDir(t, re.Dir()), Config{})
	if re.Start() != 6 || re.End() != 6 {
		t.Fatalf("the emptied log is %d to %d, want 6 to 6", re.Start(), re.End())
	}
}

func TestFilesNobodyUsesAreClosed(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{SegmentBytes: 100, Now: c.Now})
	for i := range 10 {
		appendTo(t, l, plain(t, fmt.Sprint(i)))
	}
	wantValues(t, l, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	retain(t, l, c)
	retain(t, l, c)
	open := 0
	for _, s := range l.mu.segments {
		if s.log.h != nil || s.index.mu.f != nil || s.times.mu.f != nil {
			open++
		}
	}
	if open != 0 {
		t.Fatalf("%d segments are still open", open)
	}
	appendTo(t, l, plain(t, "10"))
	wantValues(t, l, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
}

func TestAnAbandonedLogLetsGoOfItsFolder(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{})
	appendTo(t, l, plain(t, "a"))
	span, err := l.Read(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	l.Abandon()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if b, err := span.AppendTo(nil); err != nil || len(b) == 0 {
		t.Fatalf("a held span of an abandoned log: %v", err)
	}
	span.Release()
	_, err = l.Append(plain(t, "b"))
	wantErr(t, err, ErrClosed)
	closeLog(t, l)
	if names, _ := os.ReadDir(filepath.Dir(dir)); len(names) != 0 {
		t.Fatalf("left in the data folder: %v", names)
	}
}

func TestSettingsTakeEffectWhileTheLogIsOpen(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{Now: c.Now})
	set := func(cfg Config) {
		t.Helper()
		if err := l.SetConfig(cfg); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(t, l, plain(t, "a"))
	appendTo(t, l, plain(t, "b"))
	set(Config{SegmentBytes: 100})
	appendTo(t, l, plain(t, "c"))
	wantSegments(t, l, 0, 2)
	set(Config{SegmentAge: time.Minute})
	c.advance(2 * time.Minute)
	appendTo(t, l, plain(t, "d")) // by an append
	wantSegments(t, l, 0, 2, 3)
	c.advance(2 * time.Minute)
	retain(t, l, c) // and without one
	wantSegments(t, l, 0, 2, 3, 4)
	set(Config{RetentionAge: 3 * time.Minute})
	retain(t, l, c)
	wantSegments(t, l, 3, 4)
	appendTo(t, l, plain(t, "e"))
	set(Config{RetentionBytes: 1})
	retain(t, l, c)
	wantSegments(t, l, 4)
	if _, err := l.Read(3, 1); l.Start() != 4 {
		t.Fatalf("the start is %d, %v", l.Start(), err)
	}
}
