package handle

import (
	"context"
	"regexp"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/txn"
	"github.com/loghaul/loghaul/internal/pattern"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListTransactions (key 66, v0-v2): which transactional ids there are, and where they stand.
//
// Behaviour:
//   - Filters by state, producer id, time since the start and pattern of the id all have to fit. State names nobody knows
//     are told back and fit nothing.
//   - A pattern (RE2 syntax, of the whole id) that cannot be read or is too large: INVALID_REGULAR_EXPRESSION.
//   - What takes more than 30 s: REQUEST_TIMED_OUT.
//   - Ids that the client may not describe are left out.
//
// Versions: v1 filters by time, v2 by pattern.
func (h *Handlers) listTransactions(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ListTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	turn := h.spell(changeTime)
	keep, unknown, err := transactionFilter(req, &turn)
	if err != nil {
		resp.ErrorCode = errInvalidRegularExpression
		return resp, nil
	}
	resp.UnknownStateFilters = unknown
	for _, d := range h.cfg.Txns.List(keep) {
		if !h.shows(r.Peer, acl.Describe, acl.TransactionalID, string(d.ID)) {
			continue
		}
		t := kmsg.NewListTransactionsResponseTransactionState()
		t.TransactionalID, t.ProducerID, t.TransactionState = string(d.ID), int64(d.Producer.ID), d.State.String()
		resp.TransactionStates = append(resp.TransactionStates, t)
	}
	if turn.over() { // a list with gaps would be wrong
		resp.ErrorCode, resp.TransactionStates = errRequestTimedOut, nil
	}
	return resp, nil
}

// transactionFilter is what the request's filters come to, and the state names that there are not.
func transactionFilter(req *kmsg.ListTransactionsRequest, turn *spell) (keep func(txn.Description) bool, unknown []string, err error) {
	states := map[txn.State]bool{}
	for _, name := range req.StateFilters {
		if s, ok := txn.ParseState(name); ok {
			states[s] = true
		} else {
			unknown = append(unknown, name)
		}
	}
	producers := map[int64]bool{}
	for _, id := range req.ProducerIDFilters {
		producers[id] = true
	}
	name := regexp.MustCompile("")
	if req.Version >= 2 && text(req.TransactionalIDPattern) != "" {
		if name, err = pattern.Compile(*req.TransactionalIDPattern); err != nil {
			return nil, nil, err
		}
	}
	longer := int64(-1)
	if req.Version >= 1 {
		longer = req.DurationFilterMillis
	}
	return func(d txn.Description) bool {
		return (len(req.StateFilters) == 0 || states[d.State]) &&
			(len(producers) == 0 || producers[int64(d.Producer.ID)]) &&
			(longer < 0 || turn.began.UnixMilli()-d.Started > longer) &&
			!turn.over() && name.MatchString(string(d.ID))
	}, unknown, nil
}
