package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteGroups (key 42, v0-v2): groups without members go, with their offsets. The answer comes when
// that is durable.
//
// Behaviour:
//   - NON_EMPTY_GROUP for a group with members, GROUP_ID_NOT_FOUND for one that is not there.
//
// Versions: v1 throttle; v2 is flexible.
func (h *Handlers) deleteGroups(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DeleteGroupsRequest)
	pending := make([]*group.PendingDelete, len(req.Groups))
	for i, id := range req.Groups {
		if h.may(r.Peer, acl.Delete, acl.Group, id) {
			pending[i] = h.cfg.Groups.Delete(group.ID(id))
		}
	}
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
		for i, id := range req.Groups {
			item := kmsg.NewDeleteGroupsResponseGroup()
			item.Group, item.ErrorCode = id, errGroupAuthorizationFailed
			if pending[i] != nil {
				item.ErrorCode = groupCode(pending[i].Wait(ctx))
			}
			resp.Groups = append(resp.Groups, item)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return resp, nil
	}}, nil
}
