package handle

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers (key 61): who writes to a partition with sequences, and the last one that is in the log. It lists
// idempotent producers too, so one that lost its answers can ask what arrived.
//
// Version 0. The last sequence may not be on the disk yet: sending its batch again and having the answer settles that.
func (h *Handlers) describeProducers(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeProducersRequest)
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, t := range req.Topics {
		answer := kmsg.NewDescribeProducersResponseTopic()
		answer.Topic = t.Topic
		for _, index := range t.Partitions {
			answer.Partitions = append(answer.Partitions, h.producersOf(t.Topic, index))
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// producersOf answers for one partition.
func (h *Handlers) producersOf(topic string, index int32) kmsg.DescribeProducersResponseTopicPartition {
	answer := kmsg.NewDescribeProducersResponseTopicPartition()
	answer.Partition = index
	log, code := h.partitionLog(topic, index, -1)
	if code != errNone {
		answer.ErrorCode = code
		return answer
	}
	for _, s := range log.Producers() {
		p := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		p.ProducerID, p.ProducerEpoch = s.ID, int32(s.Epoch)
		p.LastSequence, p.LastTimestamp = s.LastSequence, s.LastTimestamp
		p.CoordinatorEpoch, p.CurrentTxnStartOffset = -1, -1
		answer.ActiveProducers = append(answer.ActiveProducers, p)
	}
	return answer
}
