package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers (key 61): who writes to a partition with sequences, and the last one that is in the log. It lists
// idempotent producers too, so one that lost its answers can ask what arrived, and says where each one's open transaction
// begins (-1: it has none), for kafka-transactions find-hanging.
//
// Version 0. Read on the topic. A name that no topic can have is INVALID_TOPIC_EXCEPTION, as in Kafka. The last sequence may
// not be on the disk yet: sending its batch again and having the answer settles that. A partition named twice is answered
// once: a few bytes of request must not become thousands of producers each.
func (h *Handlers) describeProducers(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeProducersRequest)
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	type place struct {
		topic string
		index int32
	}
	answered := map[place]bool{}
	for _, t := range req.Topics {
		answer := kmsg.NewDescribeProducersResponseTopic()
		answer.Topic = t.Topic
		readable := h.may(r.Peer, acl.Read, acl.Topic, t.Topic)
		for _, index := range t.Partitions {
			if answered[place{t.Topic, index}] {
				continue
			}
			answered[place{t.Topic, index}] = true
			if !readable {
				denied := kmsg.NewDescribeProducersResponseTopicPartition()
				denied.Partition, denied.ErrorCode = index, errTopicAuthorizationFailed
				answer.Partitions = append(answer.Partitions, denied)
				continue
			}
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
	if topics.CheckName(topic) != nil {
		answer.ErrorCode = errInvalidTopic
		return answer
	}
	log, code := h.partitionLog(topic, index, -1)
	if code != errNone {
		answer.ErrorCode = code
		return answer
	}
	for _, s := range log.Producers() {
		p := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		p.ProducerID, p.ProducerEpoch = s.ID, int32(s.Epoch)
		p.LastSequence, p.LastTimestamp = s.LastSequence, s.LastTimestamp
		p.CoordinatorEpoch, p.CurrentTxnStartOffset = s.CoordinatorEpoch, int64(s.TxnStart)
		answer.ActiveProducers = append(answer.ActiveProducers, p)
	}
	return answer
}
