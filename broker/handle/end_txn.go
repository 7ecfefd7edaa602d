package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// EndTxn (key 26, v0-v4): a producer commits or aborts its transaction.
//
// Behaviour:
//   - The answer comes when the decision is durable, so it stands whatever happens; and, unless that takes more than a
//     second, when every partition has heard it: then a read_committed consumer sees the records, and the next
//     transaction may begin at once.
//   - Asked again after the end: no error when it ended so, INVALID_TXN_STATE when it ended the other way or there was
//     none; CONCURRENT_TRANSACTIONS while it is being ended.
//   - A producer that is not the transactional id's: INVALID_PRODUCER_ID_MAPPING or PRODUCER_FENCED.
//
// Versions: before v2 PRODUCER_FENCED is INVALID_PRODUCER_EPOCH; v3 is flexible; v4 changes nothing here; v5 belongs to
// transaction.version 2, which is not advertised.
func (h *Handlers) endTxn(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.EndTxnRequest)
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	if !h.may(r.Peer, acl.Write, acl.TransactionalID, req.TransactionalID) {
		resp.ErrorCode = errTransactionalIDAuthFailed
		return resp, nil
	}
	who := txn.Producer{ID: txn.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	pending := h.cfg.Txns.End(txn.ID(req.TransactionalID), who, req.Commit)
	return later{wait: func(ctx context.Context) (_ kmsg.Response, err error) {
		resp.ErrorCode, _, err = pendingCode(ctx, pending, req.Version, 2)
		return resp, err
	}}, nil
}
