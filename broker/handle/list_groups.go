package handle

import (
	"context"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListGroups (key 16, v0-v5): all groups, with or without members.
//
// Behaviour:
//   - Who may not describe the cluster sees the groups that it may describe.
//
// Versions: v1 throttle; v3 is flexible; v4 filters by state and answers it (KIP-518); v5 the same with
// the type, classic or consumer (KIP-848). Filters do not mind upper and lower case.
func (h *Handlers) listGroups(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ListGroupsRequest)
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	all := h.shows(r.Peer, acl.Describe, acl.Cluster, acl.ClusterName)
	for _, g := range h.cfg.Groups.List() {
		groupType := "classic"
		if g.Consumer {
			groupType = "consumer"
		}
		if !wanted(req.StatesFilter, g.State.String()) || !wanted(req.TypesFilter, groupType) ||
			!all && !h.shows(r.Peer, acl.Describe, acl.Group, string(g.ID)) {
			continue
		}
		item := kmsg.NewListGroupsResponseGroup()
		item.Group, item.ProtocolType = string(g.ID), g.ProtocolType
		item.GroupState, item.GroupType = g.State.String(), groupType
		resp.Groups = append(resp.Groups, item)
	}
	return resp, nil
}

// wanted says whether a filter lets a word through; an empty one lets all.
func wanted(filter []string, word string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, word) })
}
