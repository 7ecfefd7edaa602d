package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics (key 20): remove topics, durably, and free their disk, before the answer. Offsets that groups committed
// for them go too.
//
// Versions 0 to 6. The broker's own topics are not deleted. delete.topic.enable=false refuses all.
//
// Version notes: 4 is flexible; 5 brings messages; 6 names topics by id or by name.
func (h *Handlers) deleteTopics(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DeleteTopicsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for _, name := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	}
	for _, t := range asked {
		answer := kmsg.NewDeleteTopicsResponseTopic()
		answer.Topic, answer.TopicID = t.Topic, t.TopicID
		var topic *topics.Topic
		if t.Topic != nil {
			topic = h.cfg.Topics.Get(*t.Topic)
		} else if topic = h.cfg.Topics.ByID(t.TopicID); topic != nil {
			answer.Topic = &topic.Name
		}
		answer.ErrorCode, answer.ErrorMessage = topicError(h.deleteTopic(topic, t.Topic == nil, req.Version, r))
		if topic != nil {
			answer.TopicID = topic.ID
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// deleteTopic removes one topic; nil is one that was not found.
func (h *Handlers) deleteTopic(topic *topics.Topic, byID bool, version int16, r *Request) error {
	switch {
	case !h.cfg.Topics.Settings().Bool("delete.topic.enable") && version < 3:
		return coded(errInvalidRequest, "delete.topic.enable is false")
	case !h.cfg.Topics.Settings().Bool("delete.topic.enable"):
		return coded(errTopicDeletionDisabled, "delete.topic.enable is false")
	case topic == nil && byID:
		return coded(errUnknownTopicID, "no topic has this id")
	case topic == nil:
		return coded(errUnknownTopicOrPartition, "no topic has this name")
	case topics.IsInternal(topic.Name):
		return coded(errInvalidRequest, "%s is the broker's own", topic.Name)
	}
	if err := h.cfg.Topics.Delete(topic.Name); err != nil {
		h.log.Error("deleting a topic", "topic", topic.Name, "remote", r.Remote, "error", err)
		return err
	}
	h.cfg.Meter.Deleted(topic.Name)
	h.log.Info("deleted a topic", "topic", topic.Name, "remote", r.Remote)
	if err := h.cfg.Groups.DropTopic(topic.Name); err != nil {
		// They only name a topic that is gone; the next deletion of offsets by age takes them.
		h.log.Warn("forgetting the offsets of a deleted topic", "topic", topic.Name, "error", err)
	}
	return nil
}
