package broker_test

import (
	"encoding/binary"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Old clients leave the latest time out of the batch's header; Kafka takes it from the records.
func TestRecordsAreFoundByTimeWhateverTheHeaderSays(t *testing.T) {
	const headerMaxTime = 35
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	conn := r.dial()
	for i, said := range []int64{-1, 1, 5_000_000} {
		b := record.NewBuilder(256)
		for _, later := range []int64{0, 500, 200} {
			b.Append(later, nil, []byte("line"), 0, nil)
		}
		first := int64(1000 * (i + 1))
		batch, err := b.Seal(nil, record.NoProducer, record.Snappy, first, first+500)
		if err != nil {
			t.Fatal(err)
		}
		lying := edit(batch, func(b []byte) { binary.BigEndian.PutUint64(b[headerMaxTime:], uint64(said)) })
		if got := put(t, conn, 7, "web_log", 0, -1, lying); got.ErrorCode != 0 {
			t.Fatalf("latest time %d in the header: code %d", said, got.ErrorCode)
		}
	}
	for ms, want := range map[int64]int64{1000: 0, 1100: 1, 1501: 3, 2500: 4, 2501: 6, 3001: 7, 3501: -1} {
		req := kmsg.NewPtrListOffsetsRequest()
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = ms
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "web_log", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		got := call[*kmsg.ListOffsetsResponse](t, conn, 7, req).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.Offset != want {
			t.Errorf("time %d: code %d, offset %d, want %d", ms, got.ErrorCode, got.Offset, want)
		}
	}
	for _, rec := range r.consume("web_log", 9) {
		if want := int64(1000*(rec.Offset/3+1)) + []int64{0, 500, 200}[rec.Offset%3]; rec.Timestamp.UnixMilli() != want {
			t.Errorf("record %d has time %d, want %d", rec.Offset, rec.Timestamp.UnixMilli(), want)
		}
	}
}
