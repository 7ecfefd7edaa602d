package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics (key 20): remove topics, durably, and free their disk, before the answer. Offsets that groups committed
// for them go too.
//
// Versions 0 to 6. The broker's own topics are not deleted. delete.topic.enable=false refuses all. A topic named twice
// is INVALID_REQUEST, and answered once. What is not removed when the request's time is over is REQUEST_TIMED_OUT.
//
// Version notes: 4 is flexible; 5 brings messages; 6 names topics by id or by name.
func (h *Handlers) deleteTopics(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DeleteTopicsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for _, name := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	}
	named := map[topicRef]int{}
	for _, t := range asked {
		named[refOf(t)]++
	}
	turn := h.spell(patience(req.TimeoutMillis))
	for _, t := range asked {
		times := named[refOf(t)]
		if times == 0 {
			continue // answered already
		}
		answer := kmsg.NewDeleteTopicsResponseTopic()
		answer.Topic, answer.TopicID = t.Topic, t.TopicID
		var err error
		switch {
		case t.Topic != nil && t.TopicID != [16]byte{}:
			err = coded(errInvalidRequest, "You may not specify both topic name and topic id.")
		case t.Topic == nil && t.TopicID == [16]byte{}:
			err = coded(errInvalidRequest, "Neither topic name nor id were specified.")
		case times > 1 && t.Topic != nil:
			err = coded(errInvalidRequest, "Duplicate topic name.")
		case times > 1:
			err = coded(errInvalidRequest, "Duplicate topic id.")
		case turn.over():
			err = turn.late()
		default:
			err = h.deleteAsked(t, req.Version, r, &answer)
		}
		if times > 1 {
			named[refOf(t)] = 0
		}
		answer.ErrorCode, answer.ErrorMessage = topicError(err)
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// topicRef is how a request names a topic.
type topicRef struct {
	name string
	id   [16]byte
}

func refOf(t kmsg.DeleteTopicsRequestTopic) topicRef {
	ref := topicRef{id: t.TopicID}
	if t.Topic != nil {
		ref.name = *t.Topic
	}
	return ref
}

// deleteAsked finds one topic, deletes it, and fills its answer. Who may not know of a topic does not learn whether it
// is there.
func (h *Handlers) deleteAsked(t kmsg.DeleteTopicsRequestTopic, version int16, r *Request, answer *kmsg.DeleteTopicsResponseTopic) error {
	var topic *topics.Topic
	if t.Topic != nil {
		if topic = h.cfg.Topics.Get(*t.Topic); !h.may(r.Peer, acl.Describe, acl.Topic, *t.Topic) {
			return coded(errTopicAuthorizationFailed, "Topic authorization failed.")
		}
	} else if topic = h.cfg.Topics.ByID(t.TopicID); topic != nil {
		if !h.may(r.Peer, acl.Describe, acl.Topic, topic.Name) {
			return coded(errTopicAuthorizationFailed, "Topic authorization failed.")
		}
		answer.Topic = &topic.Name
	}
	if topic != nil {
		if !h.may(r.Peer, acl.Delete, acl.Topic, topic.Name) {
			return coded(errTopicAuthorizationFailed, "Topic authorization failed.")
		}
		answer.TopicID = topic.ID
	}
	return h.deleteTopic(topic, t.Topic == nil, version, r)
}

// deleteTopic removes one topic; nil is one that was not found.
func (h *Handlers) deleteTopic(topic *topics.Topic, byID bool, version int16, r *Request) error {
	switch {
	case !h.cfg.Topics.Settings().Bool("delete.topic.enable") && version < 3:
		return coded(errInvalidRequest, "delete.topic.enable is false")
	case !h.cfg.Topics.Settings().Bool("delete.topic.enable"):
		return coded(errTopicDeletionDisabled, "delete.topic.enable is false")
	case topic == nil && byID:
		return coded(errUnknownTopicID, "This server does not host this topic ID.")
	case topic == nil:
		return coded(errUnknownTopicOrPartition, "This server does not host this topic-partition.")
	case topics.IsInternal(topic.Name):
		return coded(errInvalidRequest, "%s is the broker's own", topic.Name)
	}
	if err := h.cfg.Topics.Delete(topic.Name); err != nil {
		h.log.Error("deleting a topic", "topic", topic.Name, r.Who(), "error", err)
		return err
	}
	h.cfg.Meter.Deleted(topic.Name)
	h.log.Info("deleted a topic", "topic", topic.Name, r.Who())
	if err := h.cfg.Groups.DropTopic(topic.Name); err != nil {
		// They only name a topic that is gone; the next deletion of offsets by age takes them.
		h.log.Warn("forgetting the offsets of a deleted topic", "topic", topic.Name, "error", err)
	}
	return nil
}
