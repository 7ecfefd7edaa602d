package handle

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConsumerGroupHeartbeat (key 68, v0-v1): a consumer of the protocol of KIP-848 joins, lives, changes its
// mind or leaves, and learns which partitions it has. The answer comes when what has changed is durable.
//
// Behaviour:
//   - Epoch 0 joins, -1 leaves, -2 leaves for a while (static members). A member that is not where the
//     group knows it to be is FENCED_MEMBER_EPOCH.
//   - The broker assigns (uniform, range), and takes a partition back before it gives it to another.
//   - A group of the classic protocol with members is GROUP_ID_NOT_FOUND, as in Kafka with
//     group.consumer.migration.policy=disabled; an empty one is converted.
//   - A topic that the peer may not describe: TOPIC_AUTHORIZATION_FAILED; a regular expression does not find it.
//
// Versions: v0 lets the broker choose the member id; v1 has subscribed_topic_regex (RE2), and the client
// chooses the id.
func (h *Handlers) consumerGroupHeartbeat(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ConsumerGroupHeartbeatRequest)
	refuse := func(code int16, message string) (kmsg.Response, error) {
		resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		resp.ErrorCode, resp.ErrorMessage = code, &message
		return resp, nil
	}
	if !h.may(r.Peer, acl.Read, acl.Group, req.Group) {
		return refuse(errGroupAuthorizationFailed, "Group authorization failed.")
	}
	for _, t := range req.SubscribedTopicNames {
		if !h.may(r.Peer, acl.Describe, acl.Topic, t) {
			return refuse(errTopicAuthorizationFailed, "Topic authorization failed.")
		}
	}
	if req.Version >= 1 && req.MemberID == "" {
		return refuse(errInvalidRequest, "MemberId can't be empty.")
	}
	if req.InstanceID != nil && *req.InstanceID == "" {
		return refuse(errInvalidRequest, "InstanceId can't be empty.")
	}
	pending := h.cfg.Groups.ConsumerHeartbeat(h.consumerRequest(r, req))
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		res, err := pending.Wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return refuse(groupCode(err), groupMessage(err))
		}
		return consumerAnswer(req, res), nil
	}}, nil
}

// consumerRequest is the request in the words of the groups' room.
func (h *Handlers) consumerRequest(r *Request, req *kmsg.ConsumerGroupHeartbeatRequest) group.ConsumerRequest {
	out := group.ConsumerRequest{
		Group: group.ID(req.Group), Member: group.MemberID(req.MemberID), Epoch: group.Epoch(req.MemberEpoch),
		Instance: instance(req.InstanceID), Rack: req.RackID, Topics: req.SubscribedTopicNames,
		Pattern: req.SubscribedTopicRegex, Assigner: req.ServerAssignor, ClientID: r.ClientID, Host: r.host(),
		Rebalance: time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond,
	}
	if req.Topics != nil {
		out.Owned = []group.Slot{}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			out.Owned = append(out.Owned, group.Slot{Topic: t.TopicID, Partition: p})
		}
	}
	peer := r.Peer
	out.May = func(topic string) bool { return h.shows(peer, acl.Describe, acl.Topic, topic) }
	return out
}

// consumerAnswer is the response to a consumer in good standing.
func consumerAnswer(req *kmsg.ConsumerGroupHeartbeatRequest, res group.ConsumerResult) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	resp.MemberID, resp.MemberEpoch = kmsg.StringPtr(string(res.Member)), int32(res.Epoch)
	resp.HeartbeatIntervalMillis = int32(res.Interval.Milliseconds())
	if res.Assigned == nil {
		return resp
	}
	a := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
	for _, s := range res.Assigned {
		if n := len(a.Topics); n == 0 || a.Topics[n-1].TopicID != s.Topic {
			topic := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
			topic.TopicID = s.Topic
			a.Topics = append(a.Topics, topic)
		}
		topic := &a.Topics[len(a.Topics)-1]
		topic.Partitions = append(topic.Partitions, s.Partition)
	}
	resp.Assignment = &a
	return resp
}

// groupMessage is the sentence that goes with an error of the groups' room: its own, without the words by which it is
// told apart.
func groupMessage(err error) string {
	for _, c := range groupCodes {
		if errors.Is(err, c.err) {
			if rest, ok := strings.CutPrefix(err.Error(), c.err.Error()+": "); ok {
				return rest
			}
		}
	}
	return err.Error()
}
