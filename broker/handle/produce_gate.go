package handle

import (
	"errors"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// refuseProduce says what is wrong with a Produce request as a whole, nil when nothing is.
func (h *Handlers) refuseProduce(req *wire.ProduceRequest, version int16, peer Peer) error {
	if version >= 3 && transactional(req) {
		if req.TransactionalID == nil || !h.may(peer, acl.Write, acl.TransactionalID, string(req.TransactionalID)) {
			return early(errTransactionalIDAuthFailed, "")
		}
	}
	if req.Acks < -1 || req.Acks > 1 {
		return early(errInvalidRequiredAcks, "acks is %d, not -1, 0 or 1", req.Acks)
	}
	return nil
}

// transactional says whether any batch of a request says that it belongs to a transaction.
func transactional(req *wire.ProduceRequest) bool {
	for i := range req.Partitions {
		if h, err := record.ParseHeader(req.Partitions[i].Records); err == nil && h.Transactional() {
			return true
		}
	}
	return false
}

// refuseTopic says why a client may not write to a topic, nil when it may.
func (h *Handlers) refuseTopic(topic *topics.Topic, name []byte, peer Peer) error {
	if topic == nil {
		if !h.may(peer, acl.Write, acl.Topic, string(name)) {
			return early(errTopicAuthorizationFailed, "")
		}
		return early(errUnknownTopicOrPartition, "")
	}
	switch {
	case !h.may(peer, acl.Write, acl.Topic, topic.Name):
		return early(errTopicAuthorizationFailed, "")
	case topics.IsInternal(topic.Name):
		return early(errInvalidTopic, "%s is the broker's own", topic.Name)
	}
	return nil
}

// enter lets a batch of a transaction into its partition (KIP-890); leave is called when it is in the log.
func (h *Handlers) enter(in *arrival, batch record.Header) (leave func(), err error) {
	if h.cfg.Txns == nil {
		return nil, early(errInvalidTxnState, "this broker has no transactions")
	}
	leave, err = h.cfg.Txns.Enter(string(in.transactionalID), batch.ProducerID, batch.ProducerEpoch, in.topic.Name, in.partition)
	switch {
	case err == nil:
		return leave, nil
	case errors.Is(err, txn.ErrConcurrent), errors.Is(err, txn.ErrNotStored), errors.Is(err, txn.ErrStopped):
		return nil, early(errNotEnoughReplicas, "%v", err) // as Kafka says it: send it again
	case errors.Is(err, txn.ErrInvalidTxnState) && in.version >= 11:
		return nil, coded(errTransactionAbortable, "%v", err)
	}
	return nil, early(txnCode(err), "%v", err)
}
