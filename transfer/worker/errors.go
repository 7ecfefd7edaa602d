package worker

import (
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// BatchError is a record batch that cannot be taken, with its place. Nothing behind it is read until it can.
type BatchError struct {
	Topic     string
	Partition int32
	Offset    record.Offset
	Err       error
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("the record batch of %s/%d at offset %d cannot be read: %v", e.Topic, e.Partition, e.Offset, e.Err)
}

// Unwrap is the cause.
func (e *BatchError) Unwrap() error { return e.Err }
