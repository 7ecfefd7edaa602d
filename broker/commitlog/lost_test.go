package commitlog

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// lossStory is a log of several segments with a recovery point at its end, killed there, and what its last start said.
type lossStory struct {
	t      *testing.T
	dir    string
	values []string
	bases  []record.Offset
	said   *strings.Builder
}

func newLossStory(t *testing.T, closed bool) *lossStory {
	s := &lossStory{t: t, dir: logDir(t)}
	l := open(t, s.dir, Config{SegmentBytes: 600})
	for i := range 20 {
		s.values = append(s.values, fmt.Sprintf("value %d", i), fmt.Sprintf("and %d", i))
		appendTo(t, l, plain(t, s.values[2*i:]...))
	}
	l.writePoint()
	for _, seg := range l.mu.segments {
		s.bases = append(s.bases, seg.base)
	}
	if closed {
		closeLog(t, l)
	} else {
		s.dir = copyDir(t, s.dir)
		l.Abandon()
	}
	return s
}

func (s *lossStory) path(base record.Offset) string {
	return filepath.Join(s.dir, segmentName(base, logSuffix))
}

// take moves a segment's file away, or cuts it, and says how to put the whole one back.
func (s *lossStory) take(base record.Offset, keep int) (restore func()) {
	s.t.Helper()
	b := readFile(s.t, s.path(base))
	if keep < 0 {
		if err := os.Remove(s.path(base)); err != nil {
			s.t.Fatal(err)
		}
	} else {
		writeFile(s.t, s.path(base), b[:keep])
	}
	return func() { writeFile(s.t, s.path(base), b) }
}

// start opens the log. What is said at a start is what Open says and what the look for missing files does.
func (s *lossStory) start() *Log {
	s.t.Helper()
	s.said = &strings.Builder{}
	logger := slog.New(slog.NewTextHandler(s.said, nil))
	l := open(s.t, s.dir, Config{SegmentBytes: 600, Logger: logger})
	told := map[Damage]bool{}
	found := func(d Damage) {
		if !d.Said && !told[d] {
			logger.Error(d.String())
		}
		told[d] = true
	}
	err := l.Missing(found)
	if err == nil {
		err = l.Recheck(s.t.Context(), func(context.Context, int) error { return nil }, found)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// kill leaves the log as kill -9 does.
func (s *lossStory) kill(l *Log) {
	s.t.Helper()
	s.dir = copyDir(s.t, s.dir)
	l.Abandon()
}

// wantSaid expects so many lines with all of the words.
func (s *lossStory) wantSaid(times int, words ...string) {
	s.t.Helper()
	n := 0
	for line := range strings.Lines(s.said.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	if n != times {
		s.t.Fatalf("%d lines say %q, want %d:\n%s", n, words, times, s.said)
	}
}

// wantHole expects every offset from one on and before another to be refused as damage, and those around to be read.
func (s *lossStory) wantHole(l *Log, from, to record.Offset) {
	s.t.Helper()
	for at := l.Start(); at < l.End(); at++ {
		span, err := l.Read(at, 1)
		if at >= from && at < to {
			wantErr(s.t, err, ErrDamaged)
			continue
		}
		if err != nil {
			s.t.Fatalf("reading %d: %v", at, err)
		}
		if span.Length == 0 || span.Base > at || span.Next <= at {
			s.t.Fatalf("reading %d: %d bytes from %d, next %d", at, span.Length, span.Base, span.Next)
		}
		span.Release()
	}
}

func TestALostLastSegmentsOffsetsAreNeverUsedAgain(t *testing.T) {
	for _, closed := range []bool{false, true} {
		for name, keep := range map[string]int{"removed": -1, "emptied": 0, "cut": 100} {
			t.Run(fmt.Sprintf("%s closed %t", name, closed), func(t *testing.T) {
				s := newLossStory(t, closed)
				last, end := s.bases[len(s.bases)-1], record.Offset(len(s.values))
				restore := s.take(last, keep)
				l := s.start()
				if l.End() != end || l.HighWatermark() != end || !l.Shortened() {
					t.Fatalf("it ends at %d (durable %d), %d was given out; shortened: %t", l.End(), l.HighWatermark(), end, l.Shortened())
				}
				from := l.Damages()[0].From
				if from < last || from > last+2 {
					t.Fatalf("lost from %d, the segment began at %d", from, last)
				}
				s.wantSaid(1, fmt.Sprintf("offsets %d to %d of web_log-0 are lost", from, end-1), "put back a copy", fmt.Sprintf("topic trim web_log --partition 0 --before %d", end))
				if a := appendTo(t, l, plain(t, "new")); a.Base != end {
					t.Fatalf("the next record is at %d", a.Base)
				}
				s.wantHole(l, from, end)
				s.kill(l)

				l = s.start() // it is said at each start, and the hole stays
				s.wantSaid(1, fmt.Sprintf("offsets %d to %d of web_log-0 are lost", from, end-1))
				s.wantHole(l, from, end)
				closeLog(t, l)

				restore()
				l = s.start()
				s.wantSaid(1, "is taken in again")
				s.wantSaid(0, "are lost")
				wantValues(t, l, append(append([]string{}, s.values...), "new")...)
				if len(l.Damages()) > 0 {
					t.Errorf("%+v", l.Damages())
				}
				s.kill(l)
				l = s.start()
				s.wantSaid(0, "segment")
				wantValues(t, l, append(append([]string{}, s.values...), "new")...)
			})
		}
	}
}

func TestALogOfWhichNothingIsLeftBeginsBehindWhatItGaveOut(t *testing.T) {
	for name, keep := range map[string]int{"removed": -1, "emptied": 0} {
		t.Run(name, func(t *testing.T) {
			s := newLossStory(t, true)
			end := record.Offset(len(s.values))
			var restore []func()
			for _, base := range s.bases {
				restore = append(restore, s.take(base, keep))
			}
			l := s.start()
			s.wantSaid(1, fmt.Sprintf("offsets 0 to %d of web_log-0 are lost", end-1))
			if l.Start() != end || l.End() != end || !l.Shortened() {
				t.Fatalf("it holds %d to %d", l.Start(), l.End())
			}
			appendTo(t, l, plain(t, "new"))
			wantValues(t, l, "new")
			s.kill(l)
			for _, r := range restore {
				r()
			}
			for range 2 {
				l = s.start()
				s.wantSaid(0, "are lost")
				wantValues(t, l, append(append([]string{}, s.values...), "new")...)
				s.kill(l)
			}
		})
	}
}

// A copy may hold more than the recovery point knew of: the log went on at those offsets with other records.
func TestOfACopyThatIsPutBackOnlyWhatIsLostIsTakenIn(t *testing.T) {
	s := newLossStory(t, false)
	l := s.start()
	more := plain(t, "was there", "and this")
	end := l.End()
	appendTo(t, l, more)
	last := l.mu.segments[len(l.mu.segments)-1].base
	whole := readFile(t, s.path(last))
	s.kill(l)
	restore := s.take(last, 0)
	l = s.start()
	appendTo(t, l, plain(t, "other"))
	s.kill(l)
	restore()
	if got := readFile(t, s.path(last)); len(got) != len(whole) {
		t.Fatalf("the copy has %d bytes", len(got))
	}
	l = s.start()
	s.wantSaid(1, "recovered web_log-0: truncated", fmt.Sprintf("(offset %d)", end))
	wantValues(t, l, append(append([]string{}, s.values...), "other")...)
}

func TestWhatAGroupRemembersIsNotGivenOutAgainWhereRecordsAreLost(t *testing.T) {
	s := newLossStory(t, false)
	end, last := record.Offset(len(s.values)), s.bases[len(s.bases)-1]
	s.take(last, -1)
	s.kill(s.start()) // before anybody could say what groups remember
	l := s.start()
	if !l.Shortened() {
		t.Fatal("the second start knows of no loss")
	}
	if moved, err := l.GoOn(end+7, "a group has read further"); err != nil || !moved {
		t.Fatalf("moved: %t, %v", moved, err)
	}
	if moved, err := l.GoOn(end+7, "a group has read further"); err != nil || moved {
		t.Fatalf("moved again: %t, %v", moved, err)
	}
	if l.End() != end+7 || l.HighWatermark() != end+7 {
		t.Fatalf("it ends at %d, durable %d", l.End(), l.HighWatermark())
	}
	if a := appendTo(t, l, plain(t, "new")); a.Base != end+7 {
		t.Fatalf("the next record is at %d", a.Base)
	}
	s.wantHole(l, last, end+7)
	if d := l.Damages(); len(d) != 1 || d[0].From != last || d[0].To != end+7 {
		t.Errorf("%+v", d)
	}
	s.kill(l)
	l = s.start()
	s.wantSaid(1, fmt.Sprintf("offsets %d to %d of web_log-0 are lost", last, end+6))
	s.wantHole(l, last, end+7)
}

func TestALostOrShortenedMiddleSegmentIsNamedAtTheStartAndTakenInAgain(t *testing.T) {
	for name, keep := range map[string]int{"removed": -1, "emptied": 0, "cut inside a batch": 150} {
		t.Run(name, func(t *testing.T) {
			s := newLossStory(t, true)
			base, next := s.bases[1], s.bases[2]
			restore := s.take(base, keep)
			l := s.start()
			from := l.Damages()[0].From
			if from < base || from >= next {
				t.Fatalf("%+v", l.Damages())
			}
			s.wantSaid(1, fmt.Sprintf("offsets %d to %d of web_log-0", from, next-1), "put back a copy")
			s.wantHole(l, from, next)
			s.kill(l)
			restore()
			l = s.start()
			s.wantSaid(0, "offsets")
			wantValues(t, l, s.values...)
		})
	}
}

// A transaction that was aborted in a file that was lost and put back stays aborted.
func TestAnAbortedTransactionInAFileThatIsPutBackStaysAborted(t *testing.T) {
	s := &lossStory{t: t, dir: logDir(t)}
	l := open(t, s.dir, Config{})
	appendTo(t, l, plain(t, "first"))
	l.rollNow(t)
	batch := batchOf(t, record.Producer{ID: 7, Sequence: -1}, 1000, "taken back")
	record.SetTransactional(batch)
	appendTo(t, l, batch)
	endTxn(t, l, 7, false)
	l.rollNow(t)
	appendTo(t, l, plain(t, "last"))
	lost := l.mu.segments[1]
	closeLog(t, l)
	restore := s.take(lost.base, -1)
	l = s.start() // removes the indexes that belong to nothing
	appendTo(t, l, plain(t, "more"))
	closeLog(t, l)
	restore()
	for range 2 {
		l = s.start()
		txns, err := l.Aborted(0, l.End())
		if err != nil || len(txns) != 1 || txns[0].ProducerID != 7 {
			t.Fatalf("aborted: %+v, %v", txns, err)
		}
		closeLog(t, l)
	}
}

func TestFilesThatAreNoPartOfTheLogAreNamedOnceAndStay(t *testing.T) {
	s := newLossStory(t, true)
	for _, name := range []string{"README", "00000000000000000000.log.bak"} {
		writeFile(t, filepath.Join(s.dir, name), []byte("by hand"))
	}
	writeFile(t, filepath.Join(s.dir, "partition.metadata"), nil)
	closeLog(t, s.start())
	s.wantSaid(1, "no part of the log", "README", "00000000000000000000.log.bak", "count=2")
	if b := readFile(t, filepath.Join(s.dir, "README")); string(b) != "by hand" {
		t.Errorf("it holds %q", b)
	}
}
