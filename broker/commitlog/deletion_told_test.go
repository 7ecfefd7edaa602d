package commitlog

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// heard gathers what is told of deletions.
type heard struct {
	sync.Mutex
	list []Deletion
}

func (h *heard) note(d Deletion) {
	h.Lock()
	defer h.Unlock()
	h.list = append(h.list, d)
}

// want compares with what was told since the last call.
func (h *heard) want(t *testing.T, when string, want ...Deletion) {
	t.Helper()
	h.Lock()
	defer h.Unlock()
	if !slices.Equal(h.list, want) {
		t.Errorf("%s: told %+v, want %+v", when, h.list, want)
	}
	h.list = nil
}

func TestEachDeletionIsToldOnceWithItsReason(t *testing.T) {
	c, h := newClock(), &heard{}
	cfg := Config{SegmentBytes: 100, RetentionAge: time.Hour, Now: c.Now, Deleted: h.note}
	l := open(t, logDir(t), cfg)
	for i := range 8 { // a segment each, of 69 bytes
		appendTo(t, l, plain(t, fmt.Sprint(i)))
		c.advance(10 * time.Minute)
	}
	retain(t, l, c) // the oldest two are 80 and 70 minutes old
	h.want(t, "by age", Deletion{"web_log-0", 0, 2, 2 * 69, ReasonAge})
	retain(t, l, c)
	h.want(t, "with nothing to do")
	if err := l.SetConfig(Config{SegmentBytes: 100, RetentionAge: time.Hour, RetentionBytes: 4 * 69}); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute) // the third is too old, the fourth too much
	retain(t, l, c)
	h.want(t, "by age and size", Deletion{"web_log-0", 2, 3, 69, ReasonAge}, Deletion{"web_log-0", 3, 4, 69, ReasonSize})
	if err := l.DeleteBefore(6); err != nil {
		t.Fatal(err)
	}
	h.want(t, "trimmed", Deletion{"web_log-0", 4, 6, 2 * 69, ReasonTrim})
	if err := l.DeleteBefore(3); err != nil {
		t.Fatal(err)
	}
	h.want(t, "trimmed to what is gone")
	if _, err := l.DeleteForRoom(7); err != nil {
		t.Fatal(err)
	}
	h.want(t, "for room", Deletion{"web_log-0", 6, 7, 69, ReasonRoom})
}

// A batch that holds the new start stays on the disk; its records before it are gone for readers all the same.
func TestRecordsAreToldGoneBeforeTheirBytesAre(t *testing.T) {
	h := &heard{}
	l := open(t, logDir(t), Config{Deleted: h.note})
	appendTo(t, l, plain(t, "a", "b", "c"))
	if err := l.DeleteBefore(2); err != nil {
		t.Fatal(err)
	}
	h.want(t, "within a batch", Deletion{"web_log-0", 0, 2, 0, ReasonTrim})
}

func TestWhoHearsOfADeletionMayUseTheLog(t *testing.T) {
	c := newClock()
	var l *Log
	told := 0
	l = open(t, logDir(t), Config{SegmentBytes: 100, RetentionAge: time.Hour, Now: c.Now, Deleted: func(Deletion) {
		told++
		appendTo(t, l, plain(t, "more"))
		if err := l.DeleteBefore(l.Start()); err != nil {
			t.Error(err)
		}
	}})
	appendTo(t, l, plain(t, "a"))
	appendTo(t, l, plain(t, "b"))
	c.advance(2 * time.Hour)
	retain(t, l, c)
	if told != 1 || l.Start() != 2 || l.End() != 3 {
		t.Errorf("told %d times, the log is %d to %d, want once and 2 to 3", told, l.Start(), l.End())
	}
}
