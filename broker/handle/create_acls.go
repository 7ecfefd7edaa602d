package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateAcls (key 30, v0-v3): add rules of access control, durably, before the answer.
//
// Behaviour:
//   - Needs Alter on the cluster, else CLUSTER_AUTHORIZATION_FAILED for each rule.
//   - Without an authorizer: SECURITY_DISABLED for each.
//   - The number 0, Kafka's for what is unknown, closes the connection.
//   - What is no rule is INVALID_REQUEST, and the others are added; a rule that is there already is no error.
//
// Versions: v0 knows literal names only; v1 pattern types (KIP-290); v2 is flexible; v3 the resource type user.
func (h *Handlers) createACLs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.CreateACLsRequest)
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	denied, why := h.mayChangeACLs(r.Peer)
	var good []acl.Rule
	var places []int // of the good ones in the answer
	for i, c := range req.Creations {
		rule := acl.Rule{Kind: acl.Resource(c.ResourceType), Pattern: acl.Pattern(c.ResourcePatternType), Name: c.ResourceName, Principal: c.Principal,
			Host: c.Host, Operation: acl.Operation(c.Operation), Permission: acl.Permission(c.PermissionType)}
		if req.Version < 1 {
			rule.Pattern = acl.Literal
		}
		if rule.Unknown() {
			return nil, errUnknownElements
		}
		answer := kmsg.NewCreateACLsResponseResult()
		answer.ErrorMessage = kmsg.StringPtr("")
		if denied != errNone {
			answer.ErrorCode, answer.ErrorMessage = denied, kmsg.StringPtr(why)
		} else if err := rule.Check(); err != nil {
			answer.ErrorCode, answer.ErrorMessage = errInvalidRequest, kmsg.StringPtr(err.Error())
		} else {
			good, places = append(good, rule), append(places, i)
		}
		resp.Results = append(resp.Results, answer)
	}
	if len(good) == 0 {
		return resp, nil
	}
	if err := h.cfg.Access.Add(good...); err != nil {
		h.log.Error("adding rules of access control", r.Who(), "error", err)
		for _, i := range places {
			resp.Results[i].ErrorCode, resp.Results[i].ErrorMessage = errUnknownServer, kmsg.StringPtr(err.Error())
		}
		return resp, nil
	}
	h.log.Info("added rules of access control", "rules", len(good), r.Who())
	return resp, nil
}

// mayChangeACLs is the code, and the words for it, when the peer may not; errNone when it may.
func (h *Handlers) mayChangeACLs(p Peer) (int16, string) {
	switch {
	case !h.mayCluster(p, acl.Alter):
		return errClusterAuthorizationFailed, "Cluster authorization failed."
	case h.cfg.Access == nil:
		return errSecurityDisabled, noAuthorizer
	}
	return errNone, ""
}
