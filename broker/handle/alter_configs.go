package handle

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs (key 33): replace all settings of topics, of the broker and of groups, with effect at once and durably:
// a setting that is not named falls back to what it is without.
//
// Versions 0 to 2. The older way: IncrementalAlterConfigs changes single settings. What is not changed within 30 s is
// REQUEST_TIMED_OUT.
//
// Version notes: 2 is flexible.
func (h *Handlers) alterConfigs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.AlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	named := map[resourceName]int{}
	for _, asked := range req.Resources {
		named[resourceName{asked.ResourceType, asked.ResourceName}]++
	}
	turn := h.spell(changeTime)
	for _, asked := range req.Resources {
		resource := configResource{kind: asked.ResourceType, name: asked.ResourceName, replace: true}
		for _, c := range asked.Configs {
			resource.changes = append(resource.changes, configChange{c.Name, opSet, c.Value})
		}
		answer := kmsg.NewAlterConfigsResponseResource()
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
