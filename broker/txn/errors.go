package txn

import (
	"errors"

	"github.com/loghaul/loghaul/broker/statelog"
)

// What the coordinator refuses; test with errors.Is.
var (
	// ErrInvalidID is a transactional id that is empty or too long.
	ErrInvalidID = errors.New("invalid transactional id")
	// ErrInvalidTimeout is a transaction timeout of nothing or above transaction.max.timeout.ms.
	ErrInvalidTimeout = errors.New("invalid transaction timeout")
	// ErrUnknownProducer is a producer id that does not belong to the transactional id, or an id nobody knows.
	ErrUnknownProducer = errors.New("the producer id does not belong to the transactional id")
	// ErrFenced says that a newer producer has the transactional id, or that its transaction timed out.
	ErrFenced = errors.New("a newer producer has the transactional id")
	// ErrStaleEpoch is ErrFenced for a batch, as Produce tells it: the producer may ask for a new epoch.
	ErrStaleEpoch = errors.New("the producer's epoch is not the current one")
	// ErrInvalidTxnState is what does not fit the transaction's state.
	ErrInvalidTxnState = errors.New("the transaction is not in a state for this")
	// ErrConcurrent says that an earlier transaction is being ended: come again.
	ErrConcurrent = errors.New("the transaction before is being ended")
	// ErrNotFound is a transactional id that nobody has used, or not for long.
	ErrNotFound = errors.New("no such transactional id")
	// ErrNoRoom says that the coordinator keeps as many ids and partitions as it may.
	ErrNoRoom = errors.New("no room for more transactional ids")
	// ErrNoPartition is what Markers answer for a partition that is gone.
	ErrNoPartition = errors.New("no such partition")
)

// What the log did not take; test with errors.Is.
var (
	// ErrNotStored says that the state could not be made durable because the disk is full or has failed.
	ErrNotStored = statelog.ErrNotStored
	// ErrStopped says that the broker is going down: come back when it is up again.
	ErrStopped = statelog.ErrStopped
)
