package handle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every watcher is called at every sync, and every naming is read at every wake-up, so one request must not be a thousand
// of them: the last naming of a partition counts, as in Kafka.
func TestAPartitionThatIsNamedOftenIsReadOnce(t *testing.T) {
	h, topic := oldTopic(t, 2)
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(4)
	for i := range int64(100) {
		req.Topics = append(req.Topics, kmsg.FetchRequestTopic{Topic: "web_log", Partitions: []kmsg.FetchRequestTopicPartition{asked(0, i, 1), asked(1, 0, 1), asked(1, 2, 1), asked(9, 0, 1)}})
	}
	_, reply, err := h.Handle(t.Context(), frameOf(t, kmsg.Fetch, 4, req.AppendTo(nil)), NewSession(Peer{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	f := reply.(*fetchReply)
	defer f.Drop()
	f.find()
	logs, first := f.logs, f.req.Topics[0]
	if logs[0] != topic.Partition(0).Log || logs[1] != topic.Partition(1).Log || first.End != 3 {
		t.Fatalf("the first topic's partitions are %v of %v, want 0, 1 and 9", f.req.Partitions[:first.End], logs[:first.End])
	}
	if len(logs) != 3 || len(f.req.Topics) != 1 || f.req.Partitions[2].Index != 9 {
		t.Fatalf("%d topics with %v are left, want one with 3 partitions", len(f.req.Topics), f.req.Partitions)
	}
	if a, b := f.req.Partitions[0], f.req.Partitions[1]; a.Offset != 99 || b.Offset != 2 {
		t.Errorf("read from offsets %d and %d, want 99 and 2: the last naming counts", a.Offset, b.Offset)
	}
}
