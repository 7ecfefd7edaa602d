package handle

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs (key 44): change single settings of topics, of the broker, of its log and of groups, with
// effect at once and durably.
//
// Versions 0 and 1. A setting is set, deleted (it falls back to what it is without), or, of lists, grows (APPEND) or
// shrinks (SUBTRACT). Each resource changes as a whole or not at all. A resource that is named twice is INVALID_REQUEST
// both times. Topics answer bad values with INVALID_CONFIG, brokers with INVALID_REQUEST, as in Kafka; settings that a
// broker reads only at its start are refused. With validate_only nothing changes. What is not changed within 30 s is
// REQUEST_TIMED_OUT.
//
// Version notes: 1 is flexible.
func (h *Handlers) incrementalAlterConfigs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.IncrementalAlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	named := map[resourceName]int{}
	for _, asked := range req.Resources {
		named[resourceName{asked.ResourceType, asked.ResourceName}]++
	}
	turn := h.spell(changeTime)
	for _, asked := range req.Resources {
		resource := configResource{kind: asked.ResourceType, name: asked.ResourceName}
		for _, c := range asked.Configs {
			resource.changes = append(resource.changes, configChange{c.Name, configOp(c.Op), c.Value})
		}
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = asked.ResourceType, asked.ResourceName
		err := twice(named[resourceName{asked.ResourceType, asked.ResourceName}])
		if err == nil {
			err = turn.late()
		}
		if err == nil {
			err = h.alterResource(r.Peer, resource, req.ValidateOnly)
		}
		answer.ErrorCode, answer.ErrorMessage = topicError(err)
		resp.Resources = append(resp.Resources, answer)
	}
	return resp, nil
}

// resourceName is what settings belong to.
type resourceName struct {
	kind kmsg.ConfigResourceType
	name string
}

// twice refuses a resource that a request names more than once.
func twice(times int) error {
	if times > 1 {
		return coded(errInvalidRequest, "Each resource must appear at most once.")
	}
	return nil
}
