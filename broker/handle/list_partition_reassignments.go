package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments (key 46): which partitions are on their way to other nodes. There are no others, so none
// ever is.
//
// Version 0. kafka-topics --describe asks this.
func (h *Handlers) listPartitionReassignments(_ context.Context, r *Request) (kmsg.Response, error) {
	resp := r.Body.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	if !h.mayCluster(r.Peer, acl.Describe) {
		resp.ErrorCode, resp.ErrorMessage = errClusterAuthorizationFailed, kmsg.StringPtr("Cluster authorization failed.")
	}
	return resp, nil
}
