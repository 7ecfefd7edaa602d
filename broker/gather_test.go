package broker

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// stateBatches is a log in memory.
type stateBatches struct {
	batches [][]byte
	end     record.Offset
}

func (l *stateBatches) Append(batch []byte) (first, last record.Offset, err error) {
	h, err := record.ParseHeader(batch)
	first = l.end
	record.Stamp(batch, first, 0)
	l.end = first + record.Offset(h.Count)
	l.batches = append(l.batches, slices.Clone(batch))
	return first, l.end - 1, err
}

func (l *stateBatches) Replay(_ context.Context, f func(batch []byte) error) error {
	for _, b := range l.batches {
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

func (l *stateBatches) WaitDurable(context.Context, record.Offset) error { return nil }
func (l *stateBatches) DropBefore(record.Offset) error                   { return nil }

// A Kafka that was started again deletes groups in its own partitions, while partition 0 holds what was taken over from
// there before.
func TestWhatAKafkaDeletedDoesNotComeBack(t *testing.T) {
	all := &stateBatches{}
	target := statelog.NewWriter(statelog.Config{Name: "__consumer_offsets"}, all)
	for round, wrote := range [][]statelog.Entry{
		{{Key: []byte("gone"), Value: []byte("1")}, {Key: []byte("stays"), Value: []byte("1")}},
		{{Key: []byte("stays"), Value: []byte("2")}, {Key: []byte("gone"), Value: nil}, {Key: []byte("empty"), Value: []byte{}}},
	} {
		kafkas := &stateBatches{}
		if err := statelog.NewWriter(statelog.Config{}, kafkas).Append(wrote, nil); err != nil {
			t.Fatal(err)
		}
		var k keyed
		if err := kafkas.Replay(t.Context(), k.take); err != nil {
			t.Fatal(err)
		}
		if n, _, err := k.write(target); n != len(wrote) || err != nil {
			t.Errorf("round %d took over %d records, %v, want %d", round, n, err, len(wrote))
		}
	}
	var there keyed
	if err := all.Replay(t.Context(), there.take); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%q %q %q", there.last["gone"].bytes, there.last["stays"].bytes, there.last["empty"].bytes); got != `"" "2" ""` ||
		there.last["gone"].bytes != nil || there.last["empty"].bytes == nil {
		t.Errorf("gone, stays and empty are %s", got)
	}
}
