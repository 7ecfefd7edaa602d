package commitlog

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// markerValue is the value of every marker that the tests write: coordinator epoch 1.
const markerValue = "\x00\x00\x00\x00\x00\x01"

// written is what a test knows of one offset.
type written struct {
	producer int64 // 0: none
	marker   bool
	commit   bool
}

// history is a log's transactions in ten lines: what was written, by offset.
type history []written

func (h *history) add(n int, w written) {
	for range n {
		*h = append(*h, w)
	}
}

// open is the first offset of each open transaction, aborted the finished ones.
func (h history) state() (open map[int64]record.Offset, aborted []AbortedTxn) {
	open = map[int64]record.Offset{}
	for i, w := range h {
		first, begun := open[w.producer]
		switch at := record.Offset(i); {
		case w.producer == 0:
		case w.marker:
			delete(open, w.producer)
			if begun && !w.commit {
				aborted = append(aborted, AbortedTxn{w.producer, first, at})
			}
		case !begun:
			open[w.producer] = at
		}
	}
	return open, aborted
}

// check holds the log's transactions against the history up to its end. What lies
// before its start may be known or not.
func (h history) check(t testing.TB, l *Log) {
	t.Helper()
	h.checkOpen(t, l)
	_, aborted := h[:l.End()].state()
	for from := l.Start(); from <= l.End(); from += max(1, (l.End()-l.Start())/5) {
		var want []AbortedTxn
		for _, a := range aborted {
			if a.Last >= from && a.First < l.End() && from < l.End() {
				want = append(want, a)
			}
		}
		h.hides(t, l, from, want)
	}
}

// hides holds what the log says of aborted transactions from an offset on against the
// truth. A transaction whose first records are gone may begin with the first that is
// left, and not be told of when none is.
func (h history) hides(t testing.TB, l *Log, from record.Offset, want []AbortedTxn) {
	t.Helper()
	got, err := l.Aborted(from, l.End())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		if !slices.ContainsFunc(want, func(w AbortedTxn) bool {
			return w.ProducerID == a.ProducerID && w.Last == a.Last && (w.First == a.First || w.First < a.First && w.First < l.Start())
		}) {
			t.Fatalf("from %d on: got %v, want %v", from, got, want)
		}
	}
	within := func(all []AbortedTxn, i record.Offset) bool {
		return slices.ContainsFunc(all, func(a AbortedTxn) bool {
			return h[i].producer == a.ProducerID && a.First <= i && i < a.Last
		})
	}
	for i := from; i < l.End(); i++ {
		if within(want, i) && !within(got, i) {
			t.Fatalf("from %d on: record %d was aborted and would be handed out as committed: got %v, want %v", from, i, got, want)
		}
	}
}

// checkOpen is check's part about the transactions that are open.
func (h history) checkOpen(t testing.TB, l *Log) {
	t.Helper()
	open, _ := h[:l.End()].state()
	stable := record.Offset(math.MaxInt64)
	for _, o := range l.OpenTxns() {
		if first, ok := open[o.ProducerID]; !ok || first != o.First {
			t.Fatalf("producer %d has a transaction since %d, want %d, %t", o.ProducerID, o.First, first, ok)
		}
		stable = min(stable, o.First)
		delete(open, o.ProducerID)
	}
	if len(open) > 0 {
		t.Fatalf("open transactions are forgotten: %v", open)
	}
	high := l.HighWatermark()
	for at := high; at < l.End(); at++ { // a marker that is not durable ends nothing yet
		before, _ := h[:at].state()
		if first, begun := before[h[at].producer]; begun && h[at].marker {
			stable = min(stable, first)
		}
	}
	wantStable(t, l, max(min(stable, high), l.Start()))
}

// committed is what a read_committed consumer of the log may see.
func (h history) committed(values []string, l *Log) []string {
	_, aborted := h.state()
	var out []string
	for i := l.Start(); i < l.LastStable(); i++ {
		skip := h[i].marker
		for _, a := range aborted {
			skip = skip || h[i].producer == a.ProducerID && a.First <= i && i <= a.Last
		}
		if !skip {
			out = append(out, values[i])
		}
	}
	return out
}

// transact writes one transactional batch or ends one transaction.
func (s *story) transact() {
	s.t.Helper()
	id := 1 + s.rng.Int64N(3)
	if s.rng.IntN(3) == 0 {
		commit := s.rng.IntN(2) == 0
		if a := endTxn(s.t, s.log, id, commit); int(a.Base) != len(s.model.values) {
			s.t.Fatalf("the marker went to %+v, want %d", a, len(s.model.values))
		}
		s.model.values = append(s.model.values, markerValue)
		s.model.times = append(s.model.times, s.clock)
		s.history.add(1, written{producer: id, marker: true, commit: commit})
		return
	}
	value := fmt.Sprintf("%d of %d", len(s.model.values), id)
	batch := batchOf(s.t, record.Producer{ID: id, Sequence: s.sequences[id]}, s.clock, value)
	record.SetTransactional(batch)
	appendTo(s.t, s.log, batch)
	if s.sequences[id]++; s.rng.IntN(5) == 0 {
		wantDuplicate(s.t, s.log, batch, record.Offset(len(s.model.values)))
	}
	s.model.values = append(s.model.values, value)
	s.model.times = append(s.model.times, s.clock)
	s.history.add(1, written{producer: id})
}
