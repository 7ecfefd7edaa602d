package handle

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId (key 22, v0-v5): a producer asks for its id.
//
// Behaviour:
//   - Without a transactional id it gets one that nobody has had, with epoch 0, whatever id and epoch it
//     brings: that is what Kafka does too. Idempotent producers raise their epoch by themselves.
//   - With a transactional id it gets TRANSACTIONAL_ID_AUTHORIZATION_FAILED, since there are no
//     transactions yet: of the codes that clients know it is the one after which none of them tries for
//     ever, and the log says what is meant. An empty one is INVALID_REQUEST.
//   - When no id can be reserved on the disk: COORDINATOR_NOT_AVAILABLE, and clients try again.
//
// Versions: v2 is flexible; v3 brings id and epoch (KIP-360); v4 and v5 change nothing here.
func (h *Handlers) initProducerID(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.InitProducerIDRequest)
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = errTransactionalIDAuthFailed
		if *req.TransactionalID == "" {
			resp.ErrorCode = errInvalidRequest
			return resp, nil
		}
		h.log.Warn("refused a transactional producer: this broker has no transactions; use enable.idempotence without transactional.id",
			"transactional_id", *req.TransactionalID, "client", r.ClientID, "remote", r.Remote)
		return resp, nil
	}
	id, err := h.cfg.ProducerIDs.Next()
	if err != nil {
		h.log.Error("could not give out a producer id", "err", err)
		resp.ErrorCode = errCoordinatorNotAvailable
		return resp, nil
	}
	resp.ProducerID, resp.ProducerEpoch = int64(id), 0
	return resp, nil
}
