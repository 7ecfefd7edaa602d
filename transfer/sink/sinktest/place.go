package sinktest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// place is one partition on its way into the store, with what its group remembers.
type place struct {
	topic     string
	partition int32
	from      record.Offset // the next batch begins here
	committed record.Offset
}

func (p *place) assign(t *testing.T, s sink.Sink) {
	t.Helper()
	from, err := s.Assign(t.Context(), sink.Assignment{
		Topic: p.topic, Partition: p.partition, Incarnation: "id-of-" + p.topic, Start: p.committed, Left: sink.NoOffset,
	})
	if err != nil {
		t.Fatalf("assigning %s/%d at %d: %v", p.topic, p.partition, p.committed, err)
	}
	if from < p.committed {
		t.Fatalf("assigned %s/%d goes on from %d, want at least the commit %d", p.topic, p.partition, from, p.committed)
	}
	p.from = from
}

// batch makes the next n records. Their offsets have holes, as topics do.
func (p *place) batch(n int) sink.Batch {
	b := sink.Batch{Topic: p.topic, Partition: p.partition, First: p.from, Next: p.from}
	for range n {
		if b.Next%7 == 3 {
			b.Next++ // a hole
		}
		b.Records = append(b.Records, sink.Record{
			Offset: b.Next, Time: 1_700_000_000_000 + int64(b.Next)*60_000, Key: []byte("web-1:/var/log/a.log"),
			Value: []byte(Line(p.topic, p.partition, b.Next)), Headers: []record.KV{{Key: []byte("pos"), Value: []byte("1:2+3")}},
		})
		b.Next++
	}
	return b
}

// write stores the next n records and commits them.
func (p *place) write(t *testing.T, s sink.Sink, n int) {
	t.Helper()
	b := p.batch(n)
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatalf("writing %s/%d [%d, %d): %v", p.topic, p.partition, b.First, b.Next, err)
	}
	p.from, p.committed = b.Next, b.Next
}

// Line is the value of the record at an offset.
func Line(topic string, partition int32, offset record.Offset) string {
	return fmt.Sprintf("%s/%d/%08d", topic, partition, offset)
}

// check reads the store and says what is missing, doubled or out of order.
func check(t *testing.T, st Store, places ...*place) {
	t.Helper()
	lines := st.Lines(t)
	known := 0
	for _, p := range places {
		prefix := fmt.Sprintf("%s/%d/", p.topic, p.partition)
		var got []string
		for _, l := range lines {
			if strings.HasPrefix(l, prefix) {
				got = append(got, l)
			}
		}
		known += len(got)
		for _, f := range p.faults(st.Guarantee(), got) {
			t.Error(f)
		}
	}
	if known != len(lines) {
		t.Errorf("the store holds %d lines, of which %d are ours", len(lines), known)
	}
}

// faults says what is missing, doubled or out of order among the lines of one partition.
func (p *place) faults(promise sink.Guarantee, got []string) (faults []string) {
	complain := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	seen := map[string]int{}
	furthest := ""
	for i, l := range got {
		seen[l]++
		if seen[l] == 1 && l < furthest {
			complain("line %d is %s, which first comes after %s: out of order", i, l, furthest)
		}
		furthest = max(furthest, l)
		if seen[l] > 1 && promise == sink.ExactlyOnce {
			complain("%s is stored %d times, want once", l, seen[l])
		}
	}
	for o := record.Offset(0); o < p.committed; o++ {
		if o%7 != 3 && seen[Line(p.topic, p.partition, o)] == 0 {
			complain("%s was committed but is not stored", Line(p.topic, p.partition, o))
		}
	}
	return faults
}
