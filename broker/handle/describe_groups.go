package handle

import (
	"context"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/broker/group"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupOperations are the operations that may be done to a group, as bits of their ACL codes: read (3),
// delete (6), describe (8), describe configs (10), alter configs (11).
const groupOperations = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11

// DescribeGroups (key 15, v0-v6): groups with their members.
//
// Behaviour:
//   - Protocol, the members' metadata and assignments are there while the group is stable.
//   - A group that is not there is Dead without an error, from v6 GROUP_ID_NOT_FOUND.
//
// Versions: v1 throttle; v3 the allowed operations, when asked for; v4 group.instance.id; v5 is flexible;
// v6 error message.
func (h *Handlers) describeGroups(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeGroupsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range req.Groups {
		item := h.describeGroup(id, req.Version)
		if req.IncludeAuthorizedOperations {
			item.AuthorizedOperations = groupOperations
		}
		resp.Groups = append(resp.Groups, item)
	}
	return resp, nil
}

// describeGroup answers for one group.
func (h *Handlers) describeGroup(id string, version int16) kmsg.DescribeGroupsResponseGroup {
	item := kmsg.NewDescribeGroupsResponseGroup()
	item.Group = id
	d, err := h.cfg.Groups.Describe(group.ID(id))
	if errors.Is(err, group.ErrNotFound) {
		item.State = group.Dead.String()
		if version >= 6 {
			item.ErrorCode = errGroupIDNotFound
			item.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Group %s not found.", id))
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
