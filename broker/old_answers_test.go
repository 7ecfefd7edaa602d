package broker_test

import (
	"slices"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOldAnswersAreBounded(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"wide:8", "tiny:1"}})
	conn := r.dial()
	const each = 300
	b := record.NewBuilder(1 << 20)
	for range each {
		b.Append(0, nil, noise(3000), 0, nil)
	}
	batch, err := b.Seal(nil, record.NoProducer, record.None, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	req := fetchRequest("wide", 0, 0, 1, 0)
	for i := range int32(8) {
		put(t, conn, 7, "wide", i, -1, batch)
		p := req.Topics[0].Partitions[0]
		p.Partition, p.PartitionMaxBytes = i, 64<<20
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	req.Topics[0].Partitions = req.Topics[0].Partitions[1:]
	next := make([]int64, 8)
	for round := 0; slices.Min(next) < each; round++ {
		if round > 20 {
			t.Fatalf("after %d rounds the partitions are read up to %v", round, next)
		}
		total := 0
		for _, p := range call[*kmsg.FetchResponse](t, conn, 2, req).Topics[0].Partitions {
			total += len(p.RecordBatches)
			for _, m := range readOldSet(t, p.RecordBatches, 1) {
				if m.offset != next[p.Partition] {
					t.Fatalf("partition %d: offset %d, want %d", p.Partition, m.offset, next[p.Partition])
				}
				next[p.Partition]++
			}
			req.Topics[0].Partitions[p.Partition].FetchOffset = next[p.Partition]
		}
		if total > 4<<20 {
			t.Errorf("round %d: %d bytes in one answer", round, total)
		}
	}
	small := fetchRequest("wide", 0, 7, 1, 0)
	small.Topics[0].Partitions[0].PartitionMaxBytes = 10_000
	if got := readOldSet(t, call[*kmsg.FetchResponse](t, conn, 0, small).Topics[0].Partitions[0].RecordBatches, 0); len(got) != 3 || got[0].offset != 7 {
		t.Errorf("10,000 bytes of messages of 3026: %d, want 3", len(got))
	}
	// Messages are larger than records: what is cut off must not be followed by the next batch.
	b.Reset()
	for range 200 {
		b.Append(0, []byte("key"), []byte("value"), 0, nil)
	}
	b.Append(0, nil, noise(3000), 0, nil)
	batch, err = b.Seal(nil, record.NoProducer, record.None, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		put(t, conn, 7, "tiny", 0, -1, batch)
		put(t, conn, 7, "tiny", 0, -1, seal(t, 1, record.NoProducer, record.None))
	}
	for next := int64(0); next < 4*202; {
		tiny := fetchRequest("tiny", 0, next, 1, 0)
		tiny.Topics[0].Partitions[0].PartitionMaxBytes = 10_000
		p := call[*kmsg.FetchResponse](t, conn, 2, tiny).Topics[0].Partitions[0]
		got := readOldSet(t, p.RecordBatches, 1)
		if len(got) == 0 || len(p.RecordBatches) > 10_000 {
			t.Fatalf("from %d: %d messages in %d bytes", next, len(got), len(p.RecordBatches))
		}
		for _, m := range got {
			if m.offset != next {
				t.Fatalf("offset %d, want %d", m.offset, next)
			}
			next++
		}
	}
}
