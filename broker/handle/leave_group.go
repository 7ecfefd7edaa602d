package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup (key 13, v0-v5): members go, and the others rebalance at once.
//
// Behaviour:
//   - A static member may be removed by its group.instance.id alone, with an empty member id.
//   - A member id that was only given out (MEMBER_ID_REQUIRED) is taken back.
//
// Versions: v0-v2 one member, answered by the error of the request; v1 throttle; from v3 many, each with
// its own error; v4 is flexible; v5 has a reason.
func (h *Handlers) leaveGroup(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.LeaveGroupRequest)
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	if !h.may(r.Peer, acl.Read, acl.Group, req.Group) {
		resp.ErrorCode = errGroupAuthorizationFailed
		return resp, nil
	}
	if req.Version < 3 {
		errs, err := h.cfg.Groups.Leave(group.ID(req.Group), []group.Leaver{{Member: group.MemberID(req.MemberID)}})
		if err == nil {
			err = errs[0]
		}
		resp.ErrorCode = groupCode(err)
		return resp, nil
	}
	leavers := make([]group.Leaver, len(req.Members))
	for i, m := range req.Members {
		leavers[i] = group.Leaver{Member: group.MemberID(m.MemberID), Instance: instance(m.InstanceID), Reason: text(m.Reason)}
	}
	errs, err := h.cfg.Groups.Leave(group.ID(req.Group), leavers)
	resp.ErrorCode = groupCode(err)
	for i := range errs {
		m := kmsg.NewLeaveGroupResponseMember()
		m.MemberID, m.InstanceID, m.ErrorCode = req.Members[i].MemberID, req.Members[i].InstanceID, groupCode(errs[i])
		resp.Members = append(resp.Members, m)
	}
	return resp, nil
}
