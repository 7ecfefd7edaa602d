package handle

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// errUnsupportedEndpoint is the answer to who asks for controllers: they are not reachable by clients.
const errUnsupportedEndpoint int16 = 115

// DescribeCluster (key 60): the cluster's id, its one broker and controller.
//
// Versions 0 and 1; 1 asks for brokers (1) or controllers (2), the latter are not served.
func (h *Handlers) describeCluster(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterID, resp.ControllerID = h.cfg.ClusterID, NodeID
	if req.Version >= 1 && req.EndpointType != 1 {
		resp.ErrorCode, resp.EndpointType = errUnsupportedEndpoint, req.EndpointType
		return resp, nil
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, r.Host, r.Port
	resp.Brokers = append(resp.Brokers, b)
	return resp, nil
}
