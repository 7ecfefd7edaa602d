package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetDelete (key 47, v0): a group forgets how far it has read some partitions. The answer comes when that is
// durable.
//
// Behaviour:
//   - A topic that members of the group subscribe to: GROUP_SUBSCRIBED_TO_TOPIC.
//   - A group with members that are no consumers: NON_EMPTY_GROUP; one that is not there: GROUP_ID_NOT_FOUND.
//   - What an open transaction has committed for the partition is forgotten too.
//   - A partition without an offset is no error.
//
// Versions: only v0.
func (h *Handlers) offsetDelete(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.OffsetDeleteRequest)
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	if !h.may(r.Peer, acl.Delete, acl.Group, req.Group) {
		resp.ErrorCode = errGroupAuthorizationFailed
		return resp, nil
	}
	var asked []group.Partition
	var places []*int16 // where the answers to the asked ones go
	resp.Topics = make([]kmsg.OffsetDeleteResponseTopic, len(req.Topics))
	for i, t := range req.Topics {
		topic := &resp.Topics[i]
		topic.Topic, topic.Partitions = t.Topic, make([]kmsg.OffsetDeleteResponseTopicPartition, len(t.Partitions))
		for k, p := range t.Partitions {
			partition := &topic.Partitions[k]
			partition.Partition, partition.ErrorCode = p.Partition, h.mayMoveOffset(r.Peer, t.Topic, p.Partition)
			if partition.ErrorCode == errNone {
				asked, places = append(asked, group.Partition{Topic: t.Topic, Index: p.Partition}), append(places, &partition.ErrorCode)
			}
		}
	}
	pending := h.cfg.Groups.DeleteOffsets(group.ID(req.Group), asked)
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		err := pending.Wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			resp.ErrorCode, resp.Topics = groupCode(err), nil
			return resp, nil
		}
		for i, place := range places {
			*place = groupCode(pending.Errs[i])
		}
		return resp, nil
	}}, nil
}

// mayMoveOffset is the code of a partition whose committed offset the peer may not touch, or none.
func (h *Handlers) mayMoveOffset(peer Peer, topic string, partition int32) int16 {
	if !h.may(peer, acl.Read, acl.Topic, topic) {
		return errTopicAuthorizationFailed
	}
	if t := h.cfg.Topics.Get(topic); t == nil || t.Partition(partition) == nil {
		return errUnknownTopicOrPartition
	}
	return errNone
}
