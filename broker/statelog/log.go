package statelog

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/internal/record"
)

// What an append may come to; test with errors.Is.
var (
	// ErrNotStored says that the log did not take a record or could not make it durable.
	ErrNotStored = errors.New("the state could not be stored")
	// ErrStopped says that the broker went down before the disk had it: it may be stored or not.
	ErrStopped = errors.New("the broker is going down")
	// ErrProducerFenced says that the log has seen a newer epoch of the producer that a batch is of.
	ErrProducerFenced = errors.New("a newer producer has this transactional id now")
)

// Log is the partition that state is stored in. All its methods are safe for concurrent use.
type Log interface {
	// Append writes one record batch, stamped in place, and returns its first and last offset. It does
	// not wait for the disk and does not keep the batch. ErrProducerFenced: a batch in a producer's transaction
	// of which the log has seen a newer epoch.
	Append(batch []byte) (first, last record.Offset, err error)
	// WaitDurable waits until the record at that offset is durable, the log has failed, or ctx ends.
	WaitDurable(ctx context.Context, last record.Offset) error
	// Replay calls f with each batch from the log's start to its end, in order; batch is valid during
	// the call. It stops at f's first error and returns it.
	Replay(ctx context.Context, f func(batch []byte) error) error
	// DropBefore allows everything before offset to be deleted.
	DropBefore(offset record.Offset) error
}

// Entry is one record; a nil Value is a tombstone.
type Entry struct{ Key, Value []byte }
