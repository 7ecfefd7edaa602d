package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddOffsetsToTxn (key 25, v0-v4): a producer's transaction will commit offsets of a group: the partition of
// __consumer_offsets that keeps them becomes part of it. The answer comes when that is durable.
//
// Behaviour: as AddPartitionsToTxn with that one partition; without the right to the group
// GROUP_AUTHORIZATION_FAILED.
//
// Versions: before v2 PRODUCER_FENCED is INVALID_PRODUCER_EPOCH; v3 is flexible; v4 changes nothing here.
func (h *Handlers) addOffsetsToTxn(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.AddOffsetsToTxnRequest)
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	switch {
	case !h.may(r.Peer, acl.Write, acl.TransactionalID, req.TransactionalID):
		resp.ErrorCode = errTransactionalIDAuthFailed
		return resp, nil
	case !h.may(r.Peer, acl.Read, acl.Group, req.Group):
		resp.ErrorCode = errGroupAuthorizationFailed
		return resp, nil
	}
	who := txn.Producer{ID: txn.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	pending := h.cfg.Txns.Add(txn.ID(req.TransactionalID), who, []txn.Partition{offsetsPartition})
	return later{wait: func(ctx context.Context) (_ kmsg.Response, err error) {
		resp.ErrorCode, _, err = pendingCode(ctx, pending, req.Version, 2)
		return resp, err
	}}, nil
}

// offsetsPartition keeps the offsets of every group.
var offsetsPartition = txn.Partition{Topic: group.Topic, Index: 0}
