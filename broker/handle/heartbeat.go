package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat (key 12, v0-v4): a member is alive and learns whether it must join again.
//
// Behaviour:
//   - REBALANCE_IN_PROGRESS while the group gathers its members.
//   - UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID as they say.
//
// Versions: v1 throttle; v3 group.instance.id; v4 is flexible.
func (h *Handlers) heartbeat(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.HeartbeatRequest)
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	if !h.may(r.Peer, acl.Read, acl.Group, req.Group) {
		resp.ErrorCode = errGroupAuthorizationFailed
		return resp, nil
	}
	resp.ErrorCode = groupCode(h.cfg.Groups.Heartbeat(group.ID(req.Group), group.MemberID(req.MemberID),
		instance(req.InstanceID), group.Generation(req.Generation)))
	return resp, nil
}
