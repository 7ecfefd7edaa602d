package handle

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/txn"
)

// errTransactionAbortable (KIP-890) says that the transaction must be aborted and the producer may go on.
const errTransactionAbortable int16 = 120

// txnCodes says what each error of the transactions' room is on the wire.
var txnCodes = []struct {
	err  error
	code int16
}{
	{txn.ErrInvalidID, errInvalidRequest},
	{txn.ErrInvalidTimeout, errInvalidTransactionTimeout},
	{txn.ErrUnknownProducer, errInvalidProducerIDMapping},
	{txn.ErrFenced, errProducerFenced},
	{txn.ErrStaleEpoch, errInvalidProducerEpoch},
	{txn.ErrInvalidTxnState, errInvalidTxnState},
	{txn.ErrConcurrent, errConcurrentTransactions},
	{txn.ErrNotFound, errTransactionalIDNotFound},
	{txn.ErrNoRoom, errPolicyViolation},
	{txn.ErrStopped, errCoordinatorNotAvailable},   // clients come again, when the broker may be up
	{txn.ErrNotStored, errCoordinatorNotAvailable}, // clients come again, when there may be room on the disk
}

// txnCode is the wire's code for an error of the transactions' room, or none.
func txnCode(err error) int16 {
	if err == nil {
		return errNone
	}
	for _, c := range txnCodes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return errUnknownServer
}

// fencedCode is txnCode for a request that knows PRODUCER_FENCED from a version on; before, clients know
// INVALID_PRODUCER_EPOCH only.
func fencedCode(err error, version, from int16) int16 {
	code := txnCode(err)
	if code == errProducerFenced && version < from {
		return errInvalidProducerEpoch
	}
	return code
}

// pendingCode waits for a transaction's request and says what became of it; an error means that nobody waits any more.
func pendingCode(ctx context.Context, p *txn.Pending, version, from int16) (int16, txn.Producer, error) {
	who, err := p.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		return 0, who, context.Cause(ctx)
	}
	return fencedCode(err, version, from), who, nil
}
