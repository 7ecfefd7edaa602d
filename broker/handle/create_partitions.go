package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions (key 37): give topics more partitions, durably, before the answer.
//
// Versions 0 to 3. Fewer or as many as there are is INVALID_PARTITIONS; an assignment may name no other node. A topic
// named twice is INVALID_REQUEST, and answered once. What is not extended when the request's time is over is
// REQUEST_TIMED_OUT. While clients' records are refused for want of room: NOT_ENOUGH_REPLICAS with the reason.
//
// Version notes: 2 is flexible.
func (h *Handlers) createPartitions(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.CreatePartitionsRequest)
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	named := map[string]int{}
	for _, t := range req.Topics {
		named[t.Topic]++
	}
	turn := h.spell(patience(req.TimeoutMillis))
	for i := range req.Topics {
		t := &req.Topics[i]
		if named[t.Topic] == 0 {
			continue // answered already
		}
		answer := kmsg.NewCreatePartitionsResponseTopic()
		answer.Topic = t.Topic
		var err error
		switch {
		case named[t.Topic] > 1:
			err = coded(errInvalidRequest, "Duplicate topic name.")
			named[t.Topic] = 0
		case !h.may(r.Peer, acl.Alter, acl.Topic, t.Topic):
			err = coded(errTopicAuthorizationFailed, "Topic authorization failed.")
		case turn.over():
			err = turn.late()
		default:
			err = h.extendTopic(r.Peer, t, req.ValidateOnly)
		}
		answer.ErrorCode, answer.ErrorMessage = topicError(err)
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

func (h *Handlers) extendTopic(peer Peer, t *kmsg.CreatePartitionsRequestTopic, validate bool) error {
	topic := h.cfg.Topics.Get(t.Topic)
	if topic == nil {
		return coded(errUnknownTopicOrPartition, "no topic has this name")
	}
	have := len(topic.Partitions())
	more := int(t.Count) - have
	switch {
	case topics.IsInternal(t.Topic):
		return coded(errInvalidRequest, "%s is the broker's own", t.Topic)
	case more == 0:
		return coded(errInvalidPartitions, "Topic already has %d partition(s).", have)
	case more < 0:
		return coded(errInvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Topic, have, t.Count)
	case t.Assignment != nil && len(t.Assignment) != more: // an empty list is one, too
		return coded(errInvalidReplicaAssignment, "Attempted to add %d additional partition(s), but %d assignment(s) were specified.", more, len(t.Assignment))
	}
	for _, a := range t.Assignment {
		if err := checkReplicas(a.Replicas); err != nil {
			return err
		}
	}
	if err := h.mayMake(t.Topic); err != nil {
		return err
	}
	if validate {
		return h.cfg.Topics.CheckExtend(topic, int(t.Count))
	}
	if err := h.cfg.Topics.Extend(t.Topic, int(t.Count)); err != nil {
		return err
	}
	h.log.Info("extended a topic", "topic", t.Topic, "partitions", t.Count, peer.Who())
	return nil
}
