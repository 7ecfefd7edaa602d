package handle

import (
	"context"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddPartitionsToTxn (key 24, v0-v3): a producer's transaction will write into these partitions. The answer comes
// when that is durable.
//
// Behaviour:
//   - All or nothing: when one partition is not there (UNKNOWN_TOPIC_OR_PARTITION), or is the broker's own or not
//     the client's to write to (TOPIC_AUTHORIZATION_FAILED), the others answer OPERATION_NOT_ATTEMPTED.
//   - While the transaction before is being ended: CONCURRENT_TRANSACTIONS, and the client comes again.
//   - While clients' records are refused for want of room: COORDINATOR_LOAD_IN_PROGRESS, and the client comes again. The
//     markers that end transactions go from the reserve: those that can write nothing shall not use it up.
//   - A producer that is not the transactional id's: INVALID_PRODUCER_ID_MAPPING or PRODUCER_FENCED.
//
// Versions: before v2 PRODUCER_FENCED is INVALID_PRODUCER_EPOCH; v3 is flexible; v4 and later are between brokers and
// not advertised.
func (h *Handlers) addPartitionsToTxn(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.AddPartitionsToTxnRequest)
	if !h.may(r.Peer, acl.Write, acl.TransactionalID, req.TransactionalID) {
		return addAnswer(req, func(string, int32) int16 { return errTransactionalIDAuthFailed }), nil
	}
	var partitions []txn.Partition
	refused := map[txn.Partition]int16{}
	for _, t := range req.Topics {
		for _, i := range t.Partitions {
			p := txn.Partition{Topic: t.Topic, Index: i}
			partitions = append(partitions, p)
			if code := h.mayAdd(r, p); code != errNone {
				refused[p] = code
			}
		}
	}
	if len(refused) > 0 {
		return addAnswer(req, func(topic string, index int32) int16 {
			if code, ok := refused[txn.Partition{Topic: topic, Index: index}]; ok {
				return code
			}
			return errOperationNotAttempted
		}), nil
	}
	if slices.ContainsFunc(partitions, func(p txn.Partition) bool { return h.cfg.Room.Check(p.Topic) != nil }) {
		return addAnswer(req, func(string, int32) int16 { return errCoordinatorLoadInProgress }), nil
	}
	who := txn.Producer{ID: txn.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	pending := h.cfg.Txns.Add(txn.ID(req.TransactionalID), who, partitions)
	return later{wait: func(ctx context.Context) (kmsg.Response, error) {
		code, _, err := pendingCode(ctx, pending, req.Version, 2)
		if err != nil {
			return nil, err
		}
		return addAnswer(req, func(string, int32) int16 { return code }), nil
	}}, nil
}

// mayAdd says why one partition cannot be in a transaction.
func (h *Handlers) mayAdd(r *Request, p txn.Partition) int16 {
	if topics.IsInternal(p.Topic) || !h.may(r.Peer, acl.Write, acl.Topic, p.Topic) {
		return errTopicAuthorizationFailed
	}
	if t := h.cfg.Topics.Get(p.Topic); t == nil || t.Partition(p.Index) == nil {
		return errUnknownTopicOrPartition
	}
	return errNone
}

// addAnswer is the response that gives each partition its code.
func addAnswer(req *kmsg.AddPartitionsToTxnRequest, code func(topic string, index int32) int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewAddPartitionsToTxnResponseTopic()
		topic.Topic = t.Topic
		for _, i := range t.Partitions {
			p := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			p.Partition, p.ErrorCode = i, code(t.Topic, i)
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
