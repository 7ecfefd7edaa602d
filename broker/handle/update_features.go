package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateFeatures (key 57): raise or lower versions that the brokers of a cluster agree on.
//
// Versions 0 and 1. A broker that is alone has nothing to agree on: it lists no features in ApiVersions, and every one
// asked for is INVALID_UPDATE_VERSION, as Kafka answers for features it does not know. Asked for none, all is well.
//
// Version notes: 1 adds kinds of downgrade and a dry run.
func (h *Handlers) updateFeatures(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.UpdateFeaturesRequest)
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	var err error
	switch {
	case !h.mayCluster(r.Peer, acl.Alter):
		err = coded(errClusterAuthorizationFailed, "Cluster authorization failed.")
	case len(req.FeatureUpdates) > 0:
		f := req.FeatureUpdates[0]
		err = coded(errInvalidUpdateVersion, "The update failed for all features since the following feature had an error: Invalid update version %d for feature %s."+
			" Local controller %d does not support this feature.", f.MaxVersionLevel, f.Feature, NodeID)
	}
	resp.ErrorCode, resp.ErrorMessage = topicError(err)
	return resp, nil
}
