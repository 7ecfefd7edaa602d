package commitlog

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

func sequenced(t testing.TB, id int64, epoch int16, sequence int32, n int) []byte {
	t.Helper()
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("%d/%d/%d", id, epoch, record.AddSequence(sequence, int32(i)))
	}
	return batchOf(t, record.Producer{ID: id, Epoch: epoch, Sequence: sequence}, 1000, values...)
}

func refuse(t testing.TB, l *Log, batch []byte, want error) {
	t.Helper()
	end := l.End()
	_, err := l.Append(batch)
	wantErr(t, err, want)
	if l.End() != end {
		t.Fatalf("a refused batch moved the end from %d to %d", end, l.End())
	}
}

func wantDuplicate(t testing.TB, l *Log, batch []byte, base record.Offset) {
	t.Helper()
	end := l.End()
	h, _ := record.ParseHeader(batch)
	a := appendTo(t, l, batch)
	if !a.Duplicate || a.Base != base || a.Last != base+record.Offset(h.LastOffsetDelta) || l.End() != end {
		t.Fatalf("want a duplicate of the batch at %d, got %+v and end %d", base, a, l.End())
	}
}

func TestSequencesHaveNoGapsAndDuplicatesKeepTheirOffset(t *testing.T) {
	l := open(t, logDir(t), Config{})
	refuse(t, l, sequenced(t, 7, 0, 5, 1), ErrOutOfOrderSequence) // never written: must begin at 0
	appendTo(t, l, sequenced(t, 7, 0, 0, 10))
	appendTo(t, l, sequenced(t, 7, 0, 10, 10))
	refuse(t, l, sequenced(t, 7, 0, 30, 1), ErrOutOfOrderSequence)
	refuse(t, l, sequenced(t, 7, 0, 15, 10), ErrOutOfOrderSequence) // overlaps, but is no batch we know
	wantDuplicate(t, l, sequenced(t, 7, 0, 0, 10), 0)
	wantDuplicate(t, l, sequenced(t, 7, 0, 10, 10), 10)
	appendTo(t, l, sequenced(t, 8, 0, 12, 1)) // unknown producer in a written log: any sequence
	appendTo(t, l, sequenced(t, 7, 0, 20, 1))
}

func TestEpochsFenceAndBeginAtZero(t *testing.T) {
	l := open(t, logDir(t), Config{})
	appendTo(t, l, sequenced(t, 7, 3, 0, 5))
	refuse(t, l, sequenced(t, 7, 2, 5, 1), ErrInvalidProducerEpoch)
	refuse(t, l, sequenced(t, 7, 4, 5, 1), ErrOutOfOrderSequence)
	appendTo(t, l, sequenced(t, 7, 4, 0, 5))
	refuse(t, l, sequenced(t, 7, 3, 5, 1), ErrInvalidProducerEpoch)
	wantDuplicate(t, l, sequenced(t, 7, 4, 0, 5), 5)
}

func TestSequencesWrapFromTheLargestToZero(t *testing.T) {
	l := open(t, logDir(t), Config{})
	appendTo(t, l, plain(t, "first"))
	appendTo(t, l, sequenced(t, 7, 0, math.MaxInt32-3, 3)) // up to MaxInt32-1
	appendTo(t, l, sequenced(t, 7, 0, math.MaxInt32, 4))   // MaxInt32, 0, 1, 2
	wantDuplicate(t, l, sequenced(t, 7, 0, math.MaxInt32, 4), 4)
	refuse(t, l, sequenced(t, 7, 0, 4, 1), ErrOutOfOrderSequence)
	appendTo(t, l, sequenced(t, 7, 0, 3, 1))
	appendTo(t, l, sequenced(t, 9, 0, math.MaxInt32, 1))
	appendTo(t, l, sequenced(t, 9, 0, 0, 1))
}

func TestTheLastBatchesAreKnownAgainAfterCloseAndKill(t *testing.T) {
	dir := logDir(t)
	l := open(t, dir, Config{SegmentBytes: 400})
	for i := range 12 {
		appendTo(t, l, sequenced(t, 7, 1, int32(i*3), 3))
		appendTo(t, l, plain(t, "between"))
	}
	check := func(l *Log) {
		t.Helper()
		for i := 12 - remembered; i < 12; i++ {
			wantDuplicate(t, l, sequenced(t, 7, 1, int32(i*3), 3), record.Offset(i*4))
		}
		refuse(t, l, sequenced(t, 7, 1, int32((12-remembered-1)*3), 3), ErrOutOfOrderSequence)
		refuse(t, l, sequenced(t, 7, 1, 37, 1), ErrOutOfOrderSequence)
		ps := l.Producers()
		if len(ps) != 1 || ps[0].ID != 7 || ps[0].Epoch != 1 || ps[0].LastSequence != 35 {
			t.Fatalf("want producer 7, epoch 1, sequence 35, got %+v", ps)
		}
	}
	check(l)
	t.Run("after a kill", func(t *testing.T) { check(open(t, copyDir(t, dir), Config{})) })
	t.Run("after a kill without any snapshot", func(t *testing.T) {
		dir := copyDir(t, dir)
		os.Remove(filepath.Join(dir, producersFile))
		check(open(t, dir, Config{}))
	})
	closeLog(t, l)
	t.Run("after a clean close", func(t *testing.T) { check(open(t, copyDir(t, dir), Config{})) })
	t.Run("with a damaged snapshot", func(t *testing.T) {
		whole := readFile(t, filepath.Join(dir, producersFile))
		for i := 0; i < len(whole); i += 7 {
			dir := copyDir(t, dir)
			b := append([]byte(nil), whole...)
			b[i] ^= 0x10
			writeFile(t, filepath.Join(dir, producersFile), b)
			check(open(t, dir, Config{}))
			writeFile(t, filepath.Join(dir, producersFile), whole[:i])
			os.Remove(filepath.Join(dir, checkpointFile))
			check(open(t, dir, Config{}))
		}
	})
}

func TestProducersAreForgottenByTheWallClockNotByRecordTime(t *testing.T) {
	c := newClock()
	dir := logDir(t)
	l := open(t, dir, Config{Now: c.Now}) // the records' time is 1970
	appendTo(t, l, sequenced(t, 7, 0, 0, 1))
	c.advance(6 * 24 * time.Hour)
	appendTo(t, l, sequenced(t, 8, 0, 0, 1))
	retain(t, l, c)
	wantDuplicate(t, l, sequenced(t, 7, 0, 0, 1), 0)
	c.advance(25 * time.Hour)
	retain(t, l, c)
	if ps := l.Producers(); len(ps) != 1 || ps[0].ID != 8 {
		t.Fatalf("want producer 8 alone, got %+v", ps)
	}
	closeLog(t, l)
	c.advance(7 * 24 * time.Hour)
	l = open(t, dir, Config{Now: c.Now})
	if ps := l.Producers(); len(ps) != 0 {
		t.Fatalf("want no producer left, got %+v", ps)
	}
	appendTo(t, l, sequenced(t, 7, 0, 1, 1)) // a written log takes any sequence of an unknown one
}

func retain(t testing.TB, l *Log, c *clock) {
	t.Helper()
	if err := l.Retain(c.Now()); err != nil {
		t.Fatalf("retaining: %v", err)
	}
}

func TestTheNumberOfProducersIsBounded(t *testing.T) {
	c := newClock()
	l := open(t, logDir(t), Config{MaxProducers: 16, Now: c.Now})
	for id := range int64(200) {
		c.advance(time.Second)
		appendTo(t, l, sequenced(t, id, 0, 0, 1))
		if n := len(l.Producers()); n > 16 {
			t.Fatalf("%d producers are remembered, 16 are allowed", n)
		}
	}
	wantDuplicate(t, l, sequenced(t, 199, 0, 0, 1), 199) // the youngest stay
	wantDuplicate(t, l, sequenced(t, 190, 0, 0, 1), 190)
}
