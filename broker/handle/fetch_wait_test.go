package handle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every watcher is called at every sync, so one request must not be a thousand of them.
func TestAWaitingFetchWatchesEachLogOnce(t *testing.T) {
	h, topic := oldTopic(t, 2)
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(4)
	for range 100 {
		req.Topics = append(req.Topics, kmsg.FetchRequestTopic{Topic: "web_log", Partitions: []kmsg.FetchRequestTopicPartition{asked(0, 0, 1), asked(1, 0, 1), asked(9, 0, 1)}})
	}
	_, reply, err := h.Handle(t.Context(), frameOf(t, kmsg.Fetch, 4, req.AppendTo(nil)), NewSession(Peer{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	f := reply.(*fetchReply)
	defer f.Drop()
	f.find()
	logs := f.watched()
	if len(logs) != 2 || logs[0] != topic.Partition(0).Log || logs[1] != topic.Partition(1).Log {
		t.Errorf("it watches %v, want the logs of partitions 0 and 1", logs)
	}
}
