package group

import (
	"context"

	"github.com/loghaul/loghaul/internal/record"
)

// Topic is where the state of the groups is stored, in Kafka's own formats.
const Topic = "__consumer_offsets"

// Log is the partition that the state is stored in. All its methods are safe for concurrent use.
type Log interface {
	// Append writes one record batch, stamped in place, and returns its first and last offset. It does
	// not wait for the disk and does not keep the batch. ErrProducerFenced: a transactional batch of a
	// producer of which the log has seen a newer epoch.
	Append(batch []byte) (first, last record.Offset, err error)
	// AppendMarker writes the control record that ends the producer's transaction and returns its offset.
	// Like Append it does not wait for the disk. ErrProducerFenced: the log has seen a newer epoch.
	AppendMarker(producerID int64, epoch int16, commit bool) (record.Offset, error)
	// WaitDurable waits until the record at that offset is durable, the log has failed, or ctx ends.
	WaitDurable(ctx context.Context, last record.Offset) error
	// Replay calls f with each batch from the log's start to its end, in order; batch is valid during
	// the call. It stops at f's first error and returns it.
	Replay(ctx context.Context, f func(batch []byte) error) error
	// DropBefore allows everything before offset to be deleted.
	DropBefore(offset record.Offset) error
}
