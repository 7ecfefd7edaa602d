package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
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
		if c.ErrorCode == errNone {
			resp.ErrorMessage = kmsg.StringPtr("NONE") // as Kafka says
		}
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		return resp, nil
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, h.coordinator(r, req.CoordinatorType, key))
	}
	return resp, nil
}

// malformed is Kafka's sentence for INVALID_REQUEST.
const malformed = "This most likely occurs because of a request being malformed by the client library or the message was sent " +
	"to an incompatible broker. See the broker logs for more details."

// coordinator answers for one key.
func (h *Handlers) coordinator(r *Request, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key, c.NodeID, c.Port, c.ErrorMessage = key, -1, -1, new(string)
	switch {
	case kind < 0 || kind > 1:
		c.ErrorCode = errInvalidRequest
		if kind != 2 || r.Body.GetVersion() < 4 { // Kafka has no word for share groups that are switched off
			c.ErrorMessage = kmsg.StringPtr(malformed)
		}
	case kind == 0 && !h.may(r.Peer, acl.Describe, acl.Group, key):
		c.ErrorCode = errGroupAuthorizationFailed
	case kind == 1 && !h.may(r.Peer, acl.Describe, acl.TransactionalID, key):
		c.ErrorCode = errTransactionalIDAuthFailed
	default:
		c.NodeID, c.Host, c.Port = NodeID, r.Host, r.Port
	}
	return c
}
