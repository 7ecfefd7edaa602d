// Package sink is what a destination promises: Write returns nil only for what is stored, and only
// that is committed. Each kind of destination is a package below this one and passes sinktest.
package sink

import (
	"context"
	"errors"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// NoOffset stands where there is no offset: nothing was committed, nothing was handed over.
const NoOffset record.Offset = -1

// Record is one line on its way out. Its bytes are valid until the Write that got them returns.
type Record struct {
	Offset  record.Offset
	Time    int64 // milliseconds since 1970, as the topic has it
	Key     []byte
	Value   []byte // the line without its ending; nil: a null value
	Headers []record.KV
}

// Batch is what one Write stores: records of one partition in the order of their offsets. Offsets may have
// holes, where the topic has something else than records.
type Batch struct {
	Topic     string
	Partition int32
	First     record.Offset // the batch answers for [First, Next), holes included
	Next      record.Offset
	Records   []Record
}

// Assignment is what is known about a partition when it becomes ours.
type Assignment struct {
	Topic     string
	Partition int32
	// Incarnation tells a topic from an older one of the same name; "" when the broker does not say.
	Incarnation string
	// Start is where the group's commit says to go on, or the sink's `start` where there is no commit.
	Start record.Offset
	// Left is where this owner's last commit stood when another owner went on from it; NoOffset when nobody
	// else has committed since.
	Left record.Offset
	// Reset says that somebody moved the group's commit on purpose: Start wins over what the sink remembers.
	Reset bool
}

// Sink stores batches. Calls for one partition come one at a time, calls for different partitions at once.
type Sink interface {
	// Assign says that the partition is ours from now on and returns where to go on: at Start, or where the
	// sink itself knows better.
	Assign(ctx context.Context, a Assignment) (from record.Offset, err error)
	// Write stores the batch; nil means stored. After an error nothing of the batch counts, and the same
	// batch comes again.
	Write(ctx context.Context, b Batch) error
	// Revoke says that the partition is not ours any more; all its Writes have returned.
	Revoke(ctx context.Context, topic string, partition int32) error
	// Close lets go of everything. Nothing is called after it.
	Close() error
}

// Idler is a Sink that has work to do while nothing comes, such as rolling a file by age. The worker calls
// Idle between Writes of the partition, about once a second.
type Idler interface {
	Idle(ctx context.Context, topic string, partition int32, now time.Time) error
}

// Needs are the parts of a record that a sink looks at, besides offset, time and value.
type Needs struct {
	Key     bool
	Headers bool
}

// Picker is a Sink that says what it needs; the rest is not carried to it. Other sinks get everything.
type Picker interface {
	Needs() Needs
}

// Guarantee is how often a line that the topic holds once is found in the destination.
type Guarantee string

// The guarantees a sink can give.
const (
	ExactlyOnce Guarantee = "exactly once"
	AtLeastOnce Guarantee = "at least once"
)

// Stop marks an error that does not pass by itself: the route stands still until someone mends it, and
// tries again only now and then.
func Stop(err error) error { return &stopError{err} }

// Stops says whether err was marked by Stop.
func Stops(err error) bool {
	var s *stopError
	return errors.As(err, &s)
}

type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

func (e *stopError) Unwrap() error { return e.err }
