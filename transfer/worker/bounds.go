package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// atEarliest is the time that means the first record to ListOffsets (key 2).
const atEarliest = -2

// outOfRange goes on from the earliest record when retention took the one that was asked for, and counts what is lost.
// An offset behind the log's end means that the topic was made anew, or that the broker lost the end of its log. The
// first shows by the topic's id, and the partition is taken over again; the second is for somebody to look at, for
// what comes to those offsets now is not what was stored.
func (l *leader) outOfRange(ctx context.Context, conn *kafka.Conn, c refusal) error {
	d := c.feed
	earliest, err := listOffset(ctx, conn, d.topic, d.partition, atEarliest)
	if err != nil {
		return fmt.Errorf("looking for the first record of %s/%d: %w", d.topic, d.partition, err)
	}
	if earliest <= c.offset {
		d.fail(c.epoch, &BatchError{d.topic, d.partition, c.offset, errBehindEnd})
		return nil
	}
	lost := int64(earliest - c.offset)
	l.f.cfg.Logger.Warn("retention took records before they were read, going on from the earliest",
		"topic", d.topic, "partition", d.partition, "wanted", c.offset, "earliest", earliest, "lost", lost)
	d.skip(c.epoch, earliest, lost)
	return nil
}

// errBehindEnd is why a partition stands still whose log has become shorter than what was stored of it.
var errBehindEnd = errors.New("the log ends before it, though everything before it has been stored: the broker lost records, or the topic was made anew")

// listOffset asks a partition's leader for the offset at a time.
func listOffset(ctx context.Context, conn *kafka.Conn, topic string, partition int32, at int64) (record.Offset, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID, req.IsolationLevel = 5, -1, readCommitted
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, at, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return 0, err
	}
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic && p.Partition == partition {
				return record.Offset(p.Offset), kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return 0, fmt.Errorf("%w: the partition is not in it", errAnswer)
}
