package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteAcls (key 31, v0-v3): remove the rules of access control that filters choose, durably, and say which they were.
//
// Behaviour:
//   - Needs Alter on the cluster, else CLUSTER_AUTHORIZATION_FAILED for each filter.
//   - Without an authorizer: SECURITY_DISABLED for each.
//   - The number 0, Kafka's for what is unknown, closes the connection; a filter with another unknown number is
//     INVALID_REQUEST, and the others do their work.
//
// Versions: v0 knows literal names only; v1 pattern types (KIP-290); v2 is flexible; v3 the resource type user.
func (h *Handlers) deleteACLs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DeleteACLsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	denied, why := h.mayChangeACLs(r.Peer)
	var filters []acl.Filter
	var places []int // of the filters that can be used, in the answer
	for i, f := range req.Filters {
		filter := acl.Filter{Kind: acl.Resource(f.ResourceType), Pattern: acl.Pattern(f.ResourcePatternType), Name: f.ResourceName, Principal: f.Principal,
			Host: f.Host, Operation: acl.Operation(f.Operation), Permission: acl.Permission(f.PermissionType)}
		if req.Version < 1 {
			filter.Pattern = acl.Literal
		}
		if filter.Unknown() {
			return nil, errUnknownElements
		}
		answer := kmsg.NewDeleteACLsResponseResult()
		if denied != errNone {
			answer.ErrorCode, answer.ErrorMessage = denied, kmsg.StringPtr(why)
		} else if err := filter.Check(); err != nil {
			answer.ErrorCode, answer.ErrorMessage = errInvalidRequest, kmsg.StringPtr(err.Error())
		} else {
			filters, places = append(filters, filter), append(places, i)
		}
		resp.Results = append(resp.Results, answer)
	}
	if len(filters) == 0 {
		return resp, nil
	}
	removed, err := h.cfg.Access.Remove(filters...)
	if err != nil {
		h.log.Error("removing rules of access control", r.Who(), "error", err)
	}
	for i, place := range places {
		if answer := &resp.Results[place]; err != nil {
			answer.ErrorCode, answer.ErrorMessage = errUnknownServer, kmsg.StringPtr(err.Error())
		} else {
			answer.MatchingACLs = matching(removed[i])
		}
	}
	return resp, nil
}

// matching are rules as the answer lists them.
func matching(rules []acl.Rule) []kmsg.DeleteACLsResponseResultMatchingACL {
	var list []kmsg.DeleteACLsResponseResultMatchingACL
	for _, rule := range rules {
		m := kmsg.NewDeleteACLsResponseResultMatchingACL()
		m.ResourceType, m.ResourceName, m.ResourcePatternType = kmsg.ACLResourceType(rule.Kind), rule.Name, kmsg.ACLResourcePatternType(rule.Pattern)
		m.Principal, m.Host = rule.Principal, rule.Host
		m.Operation, m.PermissionType = kmsg.ACLOperation(rule.Operation), kmsg.ACLPermissionType(rule.Permission)
		list = append(list, m)
	}
	return list
}
