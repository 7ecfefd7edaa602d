package broker_test

import (
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAGroupNamedOftenIsDescribedOnce(t *testing.T) {
	r := start(t, broker.Config{})
	cl := r.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
	r.produce(cl, "t", 0, 1)
	poll(t, cl, 1)
	if err := cl.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := []string{"g", "h", "g", "g", "h"}

	described := kmsg.NewPtrDescribeGroupsRequest()
	described.Groups = names
	if resp, err := described.RequestWith(t.Context(), cl); err != nil || len(resp.Groups) != 2 || len(resp.Groups[0].Members) != 1 {
		t.Errorf("DescribeGroups answers %+v, %v, want g with its member and h", resp, err)
	}

	consumers := kmsg.NewPtrConsumerGroupDescribeRequest()
	consumers.Groups = names
	if resp, err := consumers.RequestWith(t.Context(), cl); err != nil || len(resp.Groups) != 2 {
		t.Errorf("ConsumerGroupDescribe answers %+v, %v, want two groups", resp, err)
	}

	offsets := kmsg.NewPtrOffsetFetchRequest()
	for range 5 {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = "g"
		offsets.Groups = append(offsets.Groups, g)
	}
	if resp, err := offsets.RequestWith(t.Context(), cl); err != nil || len(resp.Groups) != 1 || len(resp.Groups[0].Topics) != 1 {
		t.Errorf("OffsetFetch answers %+v, %v, want g once with its topic", resp, err)
	}
}
