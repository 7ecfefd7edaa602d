package handle

import (
	"context"
	"errors"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords (key 21): move the start of partitions up to an offset, durably, and free the disk of what lies before it.
//
// Versions 0 to 2. Delete on the topic. Offset -1 is the high watermark; one inside a batch is fine; one before the start
// changes nothing and is no error; one behind the high watermark is OFFSET_OUT_OF_RANGE. Before an end of the log is judged,
// what was appended is waited for, as long as the request says. A topic that is only compacted refuses with
// POLICY_VIOLATION, because its oldest records are the latest of their keys; the broker's own topics refuse with
// INVALID_TOPIC_EXCEPTION. The answer's low watermark is the new start.
//
// Version notes: 2 is flexible.
func (h *Handlers) deleteRecords(ctx context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DeleteRecordsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	ctx, cancel := context.WithTimeout(ctx, max(time.Duration(req.TimeoutMillis)*time.Millisecond, leastPatience))
	defer cancel()
	for _, t := range req.Topics {
		answer := kmsg.NewDeleteRecordsResponseTopic()
		answer.Topic = t.Topic
		allowed := h.may(r.Peer, acl.Delete, acl.Topic, t.Topic)
		for _, p := range t.Partitions {
			part := kmsg.NewDeleteRecordsResponseTopicPartition()
			part.Partition, part.LowWatermark = p.Partition, -1
			if !allowed {
				part.ErrorCode = errTopicAuthorizationFailed
			} else if start, err := h.deleteBefore(ctx, t.Topic, p.Partition, p.Offset); err != nil {
				part.ErrorCode = h.deleteRecordsCode(r.Peer, t.Topic, p, err)
			} else {
				part.LowWatermark = int64(start)
			}
			answer.Partitions = append(answer.Partitions, part)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// deleteBefore empties one partition up to an offset (-1: the high watermark) and returns its new start.
func (h *Handlers) deleteBefore(ctx context.Context, name string, index int32, offset int64) (record.Offset, error) {
	topic := h.cfg.Topics.Get(name)
	if topic == nil || topic.Partition(index) == nil {
		return -1, coded(errUnknownTopicOrPartition, "")
	}
	policy := topic.Effective()
	switch {
	case topics.IsInternal(name):
		return -1, coded(errInvalidTopic, "%s is the broker's own", name)
	case policy.Compact && !policy.Delete:
		return -1, coded(errPolicyViolation, "%s is compacted: cleanup.policy has no delete", name)
	case offset < -1:
		return -1, coded(errOffsetOutOfRange, "offset %d is not valid", offset)
	}
	log := topic.Partition(index).Log
	to := record.Offset(offset)
	if end := log.End(); end > log.HighWatermark() && (offset == -1 || to > log.HighWatermark()) {
		if err := log.WaitDurable(ctx, end-1); err != nil {
			return -1, err
		}
	}
	if offset == -1 {
		to = log.HighWatermark()
	}
	err := log.DeleteBefore(to)
	return log.Start(), err
}

// deleteRecordsCode turns what went wrong into Kafka's code; only the disk's failures are worth a line in the log.
func (h *Handlers) deleteRecordsCode(peer Peer, topic string, p kmsg.DeleteRecordsRequestTopicPartition, err error) int16 {
	var c *codedError
	switch {
	case errors.As(err, &c):
		return c.code
	case errors.Is(err, commitlog.ErrOffsetOutOfRange):
		return errOffsetOutOfRange
	case errors.Is(err, context.DeadlineExceeded):
		return errRequestTimedOut
	case errors.Is(err, context.Canceled):
		return errUnknownServer
	}
	h.log.Error("deleting records", peer.Who(), "topic", topic, "partition", p.Partition, "before", p.Offset, "error", err)
	return storageCode(err)
}
