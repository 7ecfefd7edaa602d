package handle

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeAcls (key 29, v0-v3): the rules of access control that a filter chooses.
//
// Behaviour:
//   - Needs Describe on the cluster, else CLUSTER_AUTHORIZATION_FAILED.
//   - Without an authorizer: SECURITY_DISABLED.
//   - The number 0, Kafka's for what is unknown, closes the connection; other unknown numbers choose nothing.
//   - The pattern type MATCH chooses every rule that counts for a resource of that name.
//
// Versions: v0 knows literal names only; v1 pattern types (KIP-290); v2 is flexible; v3 the resource type user.
func (h *Handlers) describeACLs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeACLsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	refuse := func(code int16, message string) (kmsg.Response, error) {
		resp.ErrorCode, resp.ErrorMessage = code, kmsg.StringPtr(message)
		return resp, nil
	}
	f := acl.Filter{Kind: acl.Resource(req.ResourceType), Pattern: acl.Pattern(req.ResourcePatternType), Name: req.ResourceName,
		Principal: req.Principal, Host: req.Host, Operation: acl.Operation(req.Operation), Permission: acl.Permission(req.PermissionType)}
	if req.Version < 1 {
		f.Pattern = acl.Literal
	}
	switch {
	case f.Unknown():
		return nil, errUnknownElements
	case !h.mayCluster(r.Peer, acl.Describe):
		return refuse(errClusterAuthorizationFailed, "Cluster authorization failed.")
	case h.cfg.Access == nil:
		return refuse(errSecurityDisabled, "No Authorizer is configured on the broker")
	}
	resp.ErrorMessage = kmsg.StringPtr("")
	for _, rule := range h.cfg.Access.List(f) {
		if req.Version < 1 && rule.Pattern != acl.Literal {
			continue
		}
		addRule(resp, rule)
	}
	return resp, nil
}

// errUnknownElements closes the connection, as Kafka does.
var errUnknownElements = errors.New("the request has numbers of resources, patterns, operations or permissions that are 0, for unknown")

// noAuthorizer is what Kafka says when there is no access control.
const noAuthorizer = "No Authorizer is configured."

// addRule puts a rule with those for the same resource; rules come in the order of their resources.
func addRule(resp *kmsg.DescribeACLsResponse, rule acl.Rule) {
	last := len(resp.Resources) - 1
	if last < 0 || acl.Resource(resp.Resources[last].ResourceType) != rule.Kind || resp.Resources[last].ResourceName != rule.Name ||
		acl.Pattern(resp.Resources[last].ResourcePatternType) != rule.Pattern {
		res := kmsg.NewDescribeACLsResponseResource()
		res.ResourceType, res.ResourceName = kmsg.ACLResourceType(rule.Kind), rule.Name
		res.ResourcePatternType = kmsg.ACLResourcePatternType(rule.Pattern)
		resp.Resources, last = append(resp.Resources, res), last+1
	}
	entry := kmsg.NewDescribeACLsResponseResourceACL()
	entry.Principal, entry.Host = rule.Principal, rule.Host
	entry.Operation, entry.PermissionType = kmsg.ACLOperation(rule.Operation), kmsg.ACLPermissionType(rule.Permission)
	resp.Resources[last].ACLs = append(resp.Resources[last].ACLs, entry)
}
