package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTransactions (key 65, v0): where transactional ids stand, and the partitions of their transactions.
//
// Behaviour:
//   - An id that is not known, or was forgotten: TRANSACTIONAL_ID_NOT_FOUND; an empty one: INVALID_REQUEST.
//   - Without the right to the id TRANSACTIONAL_ID_AUTHORIZATION_FAILED; topics that the client may not know of are
//     left out.
//   - An id that is named twice is answered once: its transaction may have thousands of partitions.
func (h *Handlers) describeTransactions(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range once(req.TransactionalIDs) {
		resp.TransactionStates = append(resp.TransactionStates, h.describeTransaction(r, id))
	}
	return resp, nil
}

// describeTransaction answers for one id.
func (h *Handlers) describeTransaction(r *Request, id string) kmsg.DescribeTransactionsResponseTransactionState {
	answer := kmsg.NewDescribeTransactionsResponseTransactionState()
	answer.TransactionalID = id
	if !h.may(r.Peer, acl.Describe, acl.TransactionalID, id) {
		answer.ErrorCode = errTransactionalIDAuthFailed
		return answer
	}
	d, err := h.cfg.Txns.Describe(txn.ID(id))
	if err != nil {
		answer.ErrorCode = txnCode(err)
		return answer
	}
	answer.State, answer.TimeoutMillis, answer.StartTimestamp = d.State.String(), int32(d.Timeout.Milliseconds()), d.Started
	answer.ProducerID, answer.ProducerEpoch = int64(d.Producer.ID), d.Producer.Epoch
	for _, p := range d.Partitions {
		if n := len(answer.Topics); n > 0 && answer.Topics[n-1].Topic == p.Topic {
			answer.Topics[n-1].Partitions = append(answer.Topics[n-1].Partitions, p.Index)
		} else if h.shows(r.Peer, acl.Describe, acl.Topic, p.Topic) {
			t := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			t.Topic, t.Partitions = p.Topic, []int32{p.Index}
			answer.Topics = append(answer.Topics, t)
		}
	}
	return answer
}
