package handle

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata (key 3): the broker, the topics and their partitions.
//
// Versions 0 to 13. The broker's address is the one that this client came in by, unless it is told otherwise. A topic
// that is not there is made at once when auto.create.topics.enable and the client allow it, and is answered as ready:
// there is no second round with LEADER_NOT_AVAILABLE.
//
// Version notes: in 0 an empty list means all topics, from 1 on null means all and empty none; 4 lets the client
// forbid the making of topics; 7 adds leader epochs; 9 is flexible; 10 adds topic ids, 12 asks by them.
func (h *Handlers) metadata(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.MetadataRequest)
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, r.Host, r.Port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = kmsg.StringPtr(h.cfg.ClusterID)
	resp.ControllerID = NodeID
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range h.cfg.Topics.List() {
			resp.Topics = append(resp.Topics, topicMetadata(t))
		}
		return resp, nil
	}
	create := (req.Version < 4 || req.AllowAutoTopicCreation) && h.cfg.Topics.Settings().Bool("auto.create.topics.enable")
	for _, t := range req.Topics {
		resp.Topics = append(resp.Topics, h.askedMetadata(t, create))
	}
	return resp, nil
}

// askedMetadata answers for one topic asked for by name or id.
func (h *Handlers) askedMetadata(t kmsg.MetadataRequestTopic, create bool) kmsg.MetadataResponseTopic {
	if t.Topic == nil {
		if topic := h.cfg.Topics.ByID(t.TopicID); topic != nil {
			return topicMetadata(topic)
		}
		answer := kmsg.NewMetadataResponseTopic()
		answer.TopicID, answer.ErrorCode = t.TopicID, errUnknownTopicID
		return answer
	}
	topic := h.cfg.Topics.Get(*t.Topic)
	if topic != nil {
		return topicMetadata(topic)
	}
	answer := kmsg.NewMetadataResponseTopic()
	answer.Topic = t.Topic
	if err := topics.CheckName(*t.Topic); err != nil {
		answer.ErrorCode = errInvalidTopic
		return answer
	}
	if !create {
		answer.ErrorCode = errUnknownTopicOrPartition
		return answer
	}
	topic, err := h.autoCreate(*t.Topic)
	if err != nil {
		answer.ErrorCode, _ = topicError(err)
		return answer
	}
	return topicMetadata(topic)
}

// autoCreate makes a topic that a client asked for. Two clients that ask at once both get it.
func (h *Handlers) autoCreate(name string) (*topics.Topic, error) {
	partitions := int(h.cfg.Topics.Settings().Int("num.partitions"))
	topic, err := h.cfg.Topics.Create(name, partitions, nil)
	if errors.Is(err, topics.ErrExists) {
		if topic = h.cfg.Topics.Get(name); topic != nil {
			return topic, nil
		}
	}
	if err == nil {
		h.log.Info("created a topic for a client that asked for it", "topic", name, "partitions", partitions)
	}
	return topic, err
}

func topicMetadata(t *topics.Topic) kmsg.MetadataResponseTopic {
	answer := kmsg.NewMetadataResponseTopic()
	answer.Topic, answer.TopicID, answer.IsInternal = kmsg.StringPtr(t.Name), t.ID, topics.IsInternal(t.Name)
	node := []int32{NodeID}
	for _, p := range t.Partitions() {
		part := kmsg.NewMetadataResponseTopicPartition()
		part.Partition, part.Leader, part.LeaderEpoch = p.Index, NodeID, p.Log.LeaderEpoch()
		part.Replicas, part.ISR = node, node
		answer.Partitions = append(answer.Partitions, part)
	}
	return answer
}
