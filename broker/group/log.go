package group

import (
	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// Topic is where the state of the groups is stored, in Kafka's own formats.
const Topic = "__consumer_offsets"

// Log is the partition that the state is stored in. All its methods are safe for concurrent use.
type Log interface {
	statelog.Log
	// AppendMarker writes the control record that ends the producer's transaction and returns its offset.
	// Like Append it does not wait for the disk. ErrProducerFenced: the log has seen a newer epoch.
	AppendMarker(producerID int64, epoch int16, commit bool) (record.Offset, error)
}

// entry is one record of it; a nil value is a tombstone.
func entry(key, value []byte) statelog.Entry { return statelog.Entry{Key: key, Value: value} }
