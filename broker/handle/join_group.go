package handle

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup (key 11, v0-v9): a member asks for a place in the group's next generation, and waits until
// all others have come or their time is up.
//
// Behaviour:
//   - The first of an empty group waits group.initial.rebalance.delay.ms for others.
//   - The leader's answer lists all members with what they said for the chosen protocol.
//   - A follower that comes again unchanged while the group is stable gets the current generation.
//   - Session timeouts outside group.min/max.session.timeout.ms answer INVALID_SESSION_TIMEOUT.
//   - Members of another protocol type, or without a common protocol: INCONSISTENT_GROUP_PROTOCOL.
//
// Versions: v0 has no rebalance timeout, its session timeout counts; v2 throttle; from v4 a new member
// is sent back with its id and MEMBER_ID_REQUIRED (KIP-394); v5 group.instance.id (KIP-345); v6 is
// flexible; v7 answers the protocol type; v8 has a reason; v9 can tell a leader to keep its assignment.
func (h *Handlers) joinGroup(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.JoinGroupRequest)
	join := group.JoinRequest{
		Group: group.ID(req.Group), Member: group.MemberID(req.MemberID), Instance: instance(req.InstanceID),
		ClientID: r.ClientID, Host: r.host(), ProtocolType: req.ProtocolType,
		Session:   time.Duration(req.SessionTimeoutMillis) * time.Millisecond,
		Rebalance: time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond,
		RequireID: req.Version >= 4, MaySkip: req.Version >= 9,
	}
	if req.Version < 1 || join.Rebalance <= 0 {
		join.Rebalance = join.Session
	}
	for _, p := range req.Protocols {
		join.Protocols = append(join.Protocols, group.Protocol{Name: p.Name, Metadata: p.Metadata})
	}
	if !h.may(r.Peer, acl.Read, acl.Group, req.Group) {
		return joinAnswer(req, group.JoinResult{Member: join.Member}, errGroupDenied), nil
	}
	pending := h.cfg.Groups.Join(join)
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		res, err := pending.Wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return joinAnswer(req, res, err), nil
	}}, nil
}

// joinAnswer is the response to one member.
func joinAnswer(req *kmsg.JoinGroupRequest, res group.JoinResult, err error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode, resp.MemberID = groupCode(err), string(res.Member)
	if err != nil {
		resp.Generation = -1
		if req.Version < 7 {
			resp.Protocol = new(string)
		}
		return resp
	}
	resp.Generation, resp.LeaderID = int32(res.Generation), string(res.Leader)
	resp.ProtocolType, resp.Protocol = &res.ProtocolType, &res.Protocol
	resp.SkipAssignment = res.SkipAssignment
	for _, m := range res.Members {
		member := kmsg.NewJoinGroupResponseMember()
		member.MemberID, member.InstanceID, member.ProtocolMetadata = string(m.ID), instancePtr(m.Instance), m.Metadata
		resp.Members = append(resp.Members, member)
	}
	return resp
}
