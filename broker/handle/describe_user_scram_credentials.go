package handle

import (
	"context"
	"fmt"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/users"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// scramNumbers are the mechanisms by Kafka's numbers.
var scramNumbers = map[int8]users.Mechanism{1: users.SHA256, 2: users.SHA512}

// DescribeUserScramCredentials (key 50, v0): which users may log in with SCRAM, and how their keys were derived.
//
// Behaviour:
//   - Needs Describe on the cluster, else CLUSTER_AUTHORIZATION_FAILED.
//   - Null or no names mean all users. A name twice is DUPLICATE_RESOURCE, one that nobody has RESOURCE_NOT_FOUND.
//   - Users of the settings (sasl.jaas.config) are not listed, as in Kafka.
func (h *Handlers) describeUserSCRAMCredentials(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	if !h.mayCluster(r.Peer, acl.Describe) {
		resp.ErrorCode, resp.ErrorMessage = errClusterAuthorizationFailed, kmsg.StringPtr("Cluster authorization failed.")
		for range req.Users { // as Kafka: one each, without a name
			resp.Results = append(resp.Results, kmsg.DescribeUserSCRAMCredentialsResponseResult{ErrorCode: resp.ErrorCode, ErrorMessage: resp.ErrorMessage})
		}
		return resp, nil
	}
	resp.ErrorMessage = kmsg.StringPtr("")
	list := h.cfg.Users.List()
	byName := map[string]users.User{}
	for _, u := range list {
		byName[u.Name] = u
	}
	asked := map[string]int{}
	for _, u := range req.Users {
		if asked[u.Name]++; asked[u.Name] == 1 {
			resp.Results = append(resp.Results, kmsg.DescribeUserSCRAMCredentialsResponseResult{User: u.Name})
		}
	}
	if len(req.Users) == 0 {
		for _, u := range list {
			resp.Results = append(resp.Results, kmsg.DescribeUserSCRAMCredentialsResponseResult{User: u.Name})
		}
	}
	for i := range resp.Results {
		answer := &resp.Results[i]
		u, ok := byName[answer.User]
		switch {
		case asked[answer.User] > 1:
			answer.ErrorCode = errDuplicateResource
			answer.ErrorMessage = kmsg.StringPtr("Cannot describe SCRAM credentials for the same user twice in a single request: " + answer.User)
		case !ok:
			answer.ErrorCode = errResourceNotFound
			answer.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Attempt to describe a user credential that does not exist: %s", answer.User))
		default:
			answer.CredentialInfos, answer.ErrorMessage = credentialInfos(u), kmsg.StringPtr("")
		}
	}
	return resp, nil
}

// credentialInfos are a user's credentials without their keys.
func credentialInfos(u users.User) []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo {
	var infos []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo
	for _, c := range u.Credentials {
		for number, m := range scramNumbers {
			if c.Mechanism == m {
				infos = append(infos, kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo{Mechanism: number, Iterations: int32(c.Iterations)})
			}
		}
	}
	return infos
}
