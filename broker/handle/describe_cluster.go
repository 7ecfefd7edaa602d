package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	errMismatchedEndpoint  int16 = 114 // who asks brokers for controllers: clients do not reach those
	errUnsupportedEndpoint int16 = 115 // who asks for neither

	brokerEndpoints     int8 = 1
	controllerEndpoints int8 = 2
)

// DescribeCluster (key 60): the cluster's id, its one broker and controller.
//
// Versions 0 to 2; 1 asks for brokers (1) or controllers (2), the latter are not served; 2 asks for fenced brokers too,
// of which there are none.
func (h *Handlers) describeCluster(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ControllerID = -1
	var err error
	switch {
	case req.Version == 0 || req.EndpointType == brokerEndpoints:
	case req.EndpointType == controllerEndpoints:
		err = coded(errMismatchedEndpoint, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
	default:
		err = coded(errUnsupportedEndpoint, "Unsupported endpoint type %d", req.EndpointType)
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp, nil
	}
	resp.ClusterID, resp.ControllerID = h.cfg.ClusterID, NodeID
	if req.IncludeClusterAuthorizedOperations && h.mayCluster(r.Peer, acl.Describe) {
		resp.ClusterAuthorizedOperations = h.authorizedOps(r.Peer, acl.Cluster, acl.ClusterName)
	} else if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = 0
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, r.Host, r.Port
	resp.Brokers = append(resp.Brokers, b)
	return resp, nil
}
