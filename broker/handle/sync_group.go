package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SyncGroup (key 14, v0-v5): a member of a new generation asks for its assignment; the leader's request
// brings all of them. Everyone is answered when they are durable.
//
// Behaviour:
//   - In a stable group the answer is the assignment that holds.
//   - While the group gathers its members: REBALANCE_IN_PROGRESS; of another generation: ILLEGAL_GENERATION.
//   - An assignment that cannot be stored answers COORDINATOR_NOT_AVAILABLE, and the group gathers again.
//
// Versions: v1 throttle; v3 group.instance.id; v4 is flexible; v5 names type and protocol, which must be
// the group's.
func (h *Handlers) syncGroup(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.SyncGroupRequest)
	if !h.may(r.Peer, acl.Read, acl.Group, req.Group) {
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = errGroupAuthorizationFailed, []byte{}
		return resp, nil
	}
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = errInconsistentGroupProtocol, []byte{}
		return resp, nil
	}
	sync := group.SyncRequest{
		Group: group.ID(req.Group), Member: group.MemberID(req.MemberID), Instance: instance(req.InstanceID),
		Generation: group.Generation(req.Generation), ProtocolType: req.ProtocolType, Protocol: req.Protocol,
	}
	for _, a := range req.GroupAssignment {
		sync.Assignments = append(sync.Assignments, group.Assignment{Member: group.MemberID(a.MemberID), Data: a.MemberAssignment})
	}
	pending := h.cfg.Groups.Sync(sync)
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		res, err := pending.Wait(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode, resp.MemberAssignment = groupCode(err), []byte{}
		if err == nil {
			resp.ProtocolType, resp.Protocol, resp.MemberAssignment = &res.ProtocolType, &res.Protocol, res.Data
		}
		return resp, nil
	}}, nil
}
