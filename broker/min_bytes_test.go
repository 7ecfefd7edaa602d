package broker_test

import (
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
)

// A consumer that asks for as many bytes as it takes of a partition (fetch.min.bytes = max.partition.fetch.bytes) is
// answered at once when there is more than fits: whole batches leave a rest, and no wait would fill it.
func TestAFullAnswerDoesNotWaitForMoreBytes(t *testing.T) {
	const wait = 20_000
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Settings: map[string]string{"log.segment.bytes": "4096"}})
	conn := r.dial()
	batch := seal(t, 60, record.NoProducer, record.None) // some 1000 bytes: four in a segment
	for range 6 {
		put(t, conn, 7, "web_log", 0, -1, append([]byte(nil), batch...))
	}
	for says, c := range map[string]struct {
		partMax  int
		minBytes int
	}{
		"the share of the partition is used up": {2*len(batch) + 100, 2*len(batch) + 100},
		"the segment ends":                      {1 << 20, 1 << 20},
	} {
		req := fetchRequest("web_log", 0, 0, int32(c.minBytes), wait)
		req.Topics[0].Partitions[0].PartitionMaxBytes = int32(c.partMax)
		began := time.Now()
		got := get(t, conn, 11, req)
		if took := time.Since(began); got.ErrorCode != 0 || len(got.RecordBatches) < len(batch) || took > wait*time.Millisecond/2 {
			t.Errorf("%s: code %d, %d bytes after %s, want an answer at once", says, got.ErrorCode, len(got.RecordBatches), took)
		}
	}
}
