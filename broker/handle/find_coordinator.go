package handle

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FindCoordinator (key 10, v0-v6): which broker keeps a group (type 0) or a transactional id (type 1).
//
// Behaviour:
//   - It is always this one, and at once: some clients loop on anything else.
//   - A key is not looked at: it need not exist.
//   - Type 2 (share groups, v6) and unknown types answer INVALID_REQUEST.
//
// Versions: v1 has types, error message and throttle; v3 is flexible; v4 takes many keys (KIP-699);
// v5 and v6 change nothing here.
func (h *Handlers) findCoordinator(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.FindCoordinatorRequest)
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if req.Version < 4 {
		c := h.coordinator(r, req.CoordinatorType, req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		return resp, nil
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, h.coordinator(r, req.CoordinatorType, key))
	}
	return resp, nil
}

// coordinator answers for one key.
func (h *Handlers) coordinator(r *Request, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key = key
	if kind != 0 && kind != 1 {
		c.ErrorCode, c.NodeID, c.Port = errInvalidRequest, -1, -1
		c.ErrorMessage = kmsg.StringPtr("this broker coordinates consumer groups (0) and transactional ids (1) only")
		return c
	}
	c.NodeID, c.Host, c.Port = NodeID, r.Host, r.Port
	return c
}
