package handle

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId (key 22, v0-v5): a producer asks for its id.
//
// Behaviour:
//   - Without a transactional id it gets one that nobody has had, with epoch 0, whatever id and epoch it
//     brings: that is what Kafka does too. Idempotent producers raise their epoch by themselves.
//   - With a transactional id it gets the id's producer id in the next epoch, which fences whoever had it;
//     after 32766 epochs a new producer id. An open transaction is aborted first, and the client comes
//     again after CONCURRENT_TRANSACTIONS.
//   - A producer that brings its id and epoch (KIP-360) goes on after an error, unless somebody else
//     has taken over: PRODUCER_FENCED.
//   - An empty transactional id, or an id without an epoch, is INVALID_REQUEST; a timeout of nothing or above
//     transaction.max.timeout.ms INVALID_TRANSACTION_TIMEOUT.
//   - When it cannot be stored: COORDINATOR_NOT_AVAILABLE, and clients try again.
//
// Versions: v2 is flexible; v3 brings id and epoch (KIP-360); before v4 PRODUCER_FENCED is
// INVALID_PRODUCER_EPOCH; v5 changes nothing here.
func (h *Handlers) initProducerID(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.InitProducerIDRequest)
	if code := h.mayInit(r, req); code != errNone {
		return initAnswer(req, code, -1, -1), nil
	}
	if req.TransactionalID == nil {
		id, err := h.cfg.ProducerIDs.Next()
		if err != nil {
			if _, blocked := h.cfg.Room.Blocked(); !(blocked && errors.Is(err, syscall.ENOSPC)) && h.noIDs.now(idsPace) { // that there is no room is said already
				h.log.Error("could not give out a producer id", r.Who(), "error", err)
			}
			return initAnswer(req, errCoordinatorNotAvailable, -1, -1), nil
		}
		return initAnswer(req, errNone, id, 0), nil
	}
	init := txn.InitRequest{ID: txn.ID(*req.TransactionalID), Timeout: time.Duration(req.TransactionTimeoutMillis) * time.Millisecond,
		Expected: txn.Producer{ID: -1, Epoch: -1}}
	if req.Version >= 3 {
		init.Expected = txn.Producer{ID: txn.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	}
	pending := h.cfg.Txns.Init(init)
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		code, who, err := pendingCode(ctx, pending, req.Version, 4)
		if err != nil {
			return nil, err
		}
		return initAnswer(req, code, who.ID, who.Epoch), nil
	}}, nil
}

// mayInit is what a request is refused for before anybody looks at its transactional id.
func (h *Handlers) mayInit(r *Request, req *kmsg.InitProducerIDRequest) int16 {
	switch {
	case req.TransactionalID != nil && !h.may(r.Peer, acl.Write, acl.TransactionalID, *req.TransactionalID):
		return errTransactionalIDAuthFailed
	case req.TransactionalID == nil && !h.mayAny(r.Peer, acl.Write, acl.Topic) && !h.mayCluster(r.Peer, acl.IdempotentWrite):
		return errClusterAuthorizationFailed
	case req.Version >= 3 && (req.ProducerID == -1) != (req.ProducerEpoch == -1):
		return errInvalidRequest
	}
	return errNone
}

func initAnswer(req *kmsg.InitProducerIDRequest, code int16, id txn.ProducerID, epoch int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, int64(id), epoch
	return resp
}
