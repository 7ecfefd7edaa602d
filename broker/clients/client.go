package clients

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value string
}

// Record is what a story sends, and what must come back.
type Record struct {
	Partition int32
	Offset    int64
	Key       []byte // nil is null
	Value     []byte // nil is null
	Headers   []Header
	Time      time.Time
}

// String tells everything but the offset, so that what was sent and what came back can be compared.
func (r Record) String() string {
	shown := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%q", b)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d key %s value %s", r.Partition, shown(r.Key), shown(r.Value))
	for _, h := range r.Headers {
		fmt.Fprintf(&b, " %s=%s", h.Key, h.Value)
	}
	if !r.Time.IsZero() {
		fmt.Fprintf(&b, " at %d", r.Time.UnixMilli())
	}
	return b.String()
}

// Where a Consume begins that is given no offset.
const (
	Newest int64 = -1
	Oldest int64 = -2
)

// Client is one maker's client, in one setting, as the stories use it. What a client cannot do is nil or false, and the
// stories that need it leave it out.
type Client struct {
	Name    string
	Codecs  []string // of none, gzip, snappy, lz4, zstd
	Headers bool     // records carry headers
	Times   bool     // records carry times
	Null    bool     // an empty value comes back as null
	Repeats bool     // its groups may read again what came during a rebalance

	// Produce sends each record to its partition and returns when all are acknowledged.
	Produce func(ctx context.Context, addr, topic, codec string, records []Record) error
	// Consume reads n records of one partition.
	Consume func(ctx context.Context, addr, topic string, partition int32, from int64, n int) ([]Record, error)
	// Member is one of a group until ctx ends: it begins at the oldest record, tells got of each and commits it.
	Member func(ctx context.Context, addr, group, topic string, got func(Record)) error
	// OffsetAt is the offset of the first record at or after a time.
	OffsetAt func(ctx context.Context, addr, topic string, partition int32, at time.Time) (int64, error)
}

// patience is how long one step of a story may take.
const patience = 40 * time.Second

// Lines are the records "line from" to "line to-1", spread over so many partitions.
func Lines(from, to, partitions int) []Record {
	var list []Record
	for i := from; i < to; i++ {
		list = append(list, Record{Partition: int32(i % partitions), Value: fmt.Appendf(nil, "line %d", i)})
	}
	return list
}
