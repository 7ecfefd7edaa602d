package handle

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups (key 15, v0-v6): groups with their members.
//
// Behaviour:
//   - Protocol, the members' metadata and assignments are there while the group is stable.
//   - A group that is not there, or is none of the classic protocol, is Dead without an error, from v6
//     GROUP_ID_NOT_FOUND.
//
// Versions: v1 throttle; v3 the allowed operations, when asked for; v4 group.instance.id; v5 is flexible;
// v6 error message.
func (h *Handlers) describeGroups(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeGroupsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range once(req.Groups) {
		item := h.describeGroup(r.Peer, id, req.Version)
		if req.IncludeAuthorizedOperations && item.ErrorCode == errNone {
			item.AuthorizedOperations = h.authorizedOps(r.Peer, acl.Group, id)
		}
		resp.Groups = append(resp.Groups, item)
	}
	return resp, nil
}

// describeGroup answers for one group.
func (h *Handlers) describeGroup(peer Peer, id string, version int16) kmsg.DescribeGroupsResponseGroup {
	item := kmsg.NewDescribeGroupsResponseGroup()
	item.Group = id
	if !h.may(peer, acl.Describe, acl.Group, id) {
		item.ErrorCode = errGroupAuthorizationFailed
		return item
	}
	d, err := h.cfg.Groups.Describe(group.ID(id))
	if errors.Is(err, group.ErrNotFound) {
		item.State = group.Dead.String()
		if version >= 6 {
			item.ErrorCode = errGroupIDNotFound
			item.ErrorMessage = kmsg.StringPtr(groupMessage(err))
		}
		return item
	}
	if err != nil {
		item.ErrorCode = groupCode(err)
		return item
	}
	item.State, item.ProtocolType, item.Protocol = d.State.String(), d.ProtocolType, d.Protocol
	for _, m := range d.Members {
		member := kmsg.NewDescribeGroupsResponseGroupMember()
		member.MemberID, member.InstanceID = string(m.ID), instancePtr(m.Instance)
		member.ClientID, member.ClientHost = m.ClientID, m.Host
		member.ProtocolMetadata, member.MemberAssignment = m.Metadata, m.Assignment
		item.Members = append(item.Members, member)
	}
	return item
}
