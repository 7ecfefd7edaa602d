package handle

import (
	"context"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupDescribe (key 69, v0-v1): groups of the protocol of KIP-848 with their members, what each has
// and what each is to have.
//
// Behaviour:
//   - A group of the classic protocol is GROUP_ID_NOT_FOUND, like one that is not there: clients ask
//     DescribeGroups then.
//   - A group that reads a topic which the peer may not describe: TOPIC_AUTHORIZATION_FAILED, without members.
//
// Versions: v1 says of each member that it is none of the classic protocol.
func (h *Handlers) consumerGroupDescribe(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ConsumerGroupDescribeRequest)
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, id := range once(req.Groups) {
		item := h.describeConsumers(r.Peer, id)
		if req.IncludeAuthorizedOperations && item.ErrorCode == errNone {
			item.AuthorizedOperations = h.authorizedOps(r.Peer, acl.Group, id)
		}
		resp.Groups = append(resp.Groups, item)
	}
	return resp, nil
}

// describeConsumers answers for one group.
func (h *Handlers) describeConsumers(peer Peer, id string) kmsg.ConsumerGroupDescribeResponseGroup {
	item := kmsg.NewConsumerGroupDescribeResponseGroup()
	item.Group = id
	if !h.may(peer, acl.Describe, acl.Group, id) {
		item.ErrorCode = errGroupAuthorizationFailed
		return item
	}
	d, err := h.cfg.Groups.DescribeConsumers(group.ID(id))
	if err != nil {
		item.ErrorCode, item.ErrorMessage = groupCode(err), kmsg.StringPtr(groupMessage(err))
		return item
	}
	for _, m := range d.Members {
		for _, t := range slices.Concat(m.Assignment, m.Target) {
			if !h.may(peer, acl.Describe, acl.Topic, t.Name) {
				item.ErrorCode = errTopicAuthorizationFailed
				item.ErrorMessage = kmsg.StringPtr("The group has described topic(s) that the client is not authorized to describe.")
				return item
			}
		}
	}
	item.State, item.AssignorName = d.State.String(), d.Assigner
	item.Epoch, item.AssignmentEpoch = int32(d.Epoch), int32(d.TargetEpoch)
	for _, m := range d.Members {
		item.Members = append(item.Members, describeConsumer(m))
	}
	return item
}

// describeConsumer is one member on the wire.
func describeConsumer(m group.Consumer) kmsg.ConsumerGroupDescribeResponseGroupMember {
	out := kmsg.NewConsumerGroupDescribeResponseGroupMember()
	out.MemberID, out.InstanceID, out.RackID = string(m.ID), instancePtr(m.Instance), m.Rack
	out.MemberEpoch, out.ClientID, out.ClientHost = int32(m.Epoch), m.ClientID, m.Host
	out.SubscribedTopics, out.MemberType = m.Topics, 1
	out.SubscribedTopicRegex = &m.Pattern
	out.Assignment, out.TargetAssignment = slotsOut(m.Assignment), slotsOut(m.Target)
	return out
}

// slotsOut are partitions on the wire.
func slotsOut(list []group.TopicSlots) kmsg.Assignment {
	a := kmsg.NewAssignment()
	for _, t := range list {
		topic := kmsg.NewAssignmentTopicPartition()
		topic.TopicID, topic.Topic, topic.Partitions = t.ID, t.Name, t.Partitions
		a.TopicPartitions = append(a.TopicPartitions, topic)
	}
	return a
}
