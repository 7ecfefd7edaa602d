package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions (key 37): give topics more partitions, durably, before the answer.
//
// Versions 0 to 3. Fewer or as many as there are is INVALID_PARTITIONS; an assignment may name no other node.
//
// Version notes: 2 is flexible.
func (h *Handlers) createPartitions(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.CreatePartitionsRequest)
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		answer := kmsg.NewCreatePartitionsResponseTopic()
		answer.Topic = t.Topic
		answer.ErrorCode, answer.ErrorMessage = topicError(h.extendTopic(t, req.ValidateOnly))
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

func (h *Handlers) extendTopic(t *kmsg.CreatePartitionsRequestTopic, validate bool) error {
	topic := h.cfg.Topics.Get(t.Topic)
	switch {
	case topic == nil:
		return coded(errUnknownTopicOrPartition, "no topic has this name")
	case topics.IsInternal(t.Topic):
		return coded(errInvalidRequest, "%s is the broker's own", t.Topic)
	case len(t.Assignment) > 0 && len(t.Assignment) != int(t.Count)-len(topic.Partitions()):
		return coded(errInvalidReplicaAssignment, "%d assignments for %d new partitions", len(t.Assignment), int(t.Count)-len(topic.Partitions()))
	}
	for _, a := range t.Assignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != NodeID {
			return coded(errInvalidReplicaAssignment, "each partition must be assigned to node %d alone", NodeID)
		}
	}
	if validate {
		return h.cfg.Topics.CheckExtend(topic, int(t.Count))
	}
	if err := h.cfg.Topics.Extend(t.Topic, int(t.Count)); err != nil {
		return err
	}
	h.log.Info("extended a topic", "topic", t.Topic, "partitions", t.Count)
	return nil
}
