package handle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestProducersOfAPartitionNamedOftenAreToldOnce(t *testing.T) {
	h := &Handlers{}
	req := kmsg.NewPtrDescribeProducersRequest()
	topic := kmsg.NewDescribeProducersRequestTopic()
	topic.Topic, topic.Partitions = "no such name!", []int32{1, 1, 2, 1}
	req.Topics = append(req.Topics, topic, topic)
	resp, err := h.describeProducers(t.Context(), &Request{Body: req})
	if err != nil {
		t.Fatal(err)
	}
	answers := 0
	for _, told := range resp.(*kmsg.DescribeProducersResponse).Topics {
		answers += len(told.Partitions)
	}
	if answers != 2 {
		t.Errorf("two partitions named eight times have %d answers, want 2", answers)
	}
}
