package handle

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a client may ask for in place of a time.
const (
	timeLatest        int64 = -1
	timeEarliest      int64 = -2
	timeMax           int64 = -3 // from version 7: the record with the latest time
	timeEarliestLocal int64 = -4 // from version 8; all there is is local
	timeLatestTiered  int64 = -5 // from version 9; nothing is tiered
)

// ListOffsets (key 2): the offset of a time, or an end of a partition.
//
// Versions 0 to 10. Latest is the high watermark, but first everything that was appended before the question is waited
// for: whoever asks where the log ends after a crash must not get an answer from before a sync that is still running.
// A time gives the first record, in offset order, that is as late; none gives offset -1.
//
// Version notes: 0 answers with a list of at most one offset; 4 fences by leader epoch; 6 is flexible; 10 adds a timeout for tiers.
func (h *Handlers) listOffsets(ctx context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ListOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		answer := kmsg.NewListOffsetsResponseTopic()
		answer.Topic = t.Topic
		for j := range t.Partitions {
			answer.Partitions = append(answer.Partitions, h.listOffset(ctx, t.Topic, &t.Partitions[j]))
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, ctx.Err()
}

// listOffset answers for one partition.
func (h *Handlers) listOffset(ctx context.Context, topic string, p *kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	answer := kmsg.NewListOffsetsResponseTopicPartition()
	answer.Partition = p.Partition
	log, code := h.partitionLog(topic, p.Partition, p.CurrentLeaderEpoch)
	if code != errNone {
		answer.ErrorCode = code
		return answer
	}
	offset, ms, err := offsetOf(ctx, log, p.Timestamp)
	if err != nil {
		h.log.Error("looking for an offset", "topic", topic, "partition", p.Partition, "time", p.Timestamp, "error", err)
		answer.ErrorCode = storageCode(err)
		return answer
	}
	answer.Offset, answer.Timestamp = int64(offset), ms
	if offset >= 0 {
		answer.OldStyleOffsets = []int64{int64(offset)}
		answer.LeaderEpoch = log.LeaderEpoch()
	}
	return answer
}

// offsetOf finds the offset of a time or of one of the names for it, and the time of the record found (else -1).
func offsetOf(ctx context.Context, log *commitlog.Log, ms int64) (record.Offset, int64, error) {
	switch ms {
	case timeLatest:
		if end := log.End(); end > log.HighWatermark() {
			if err := log.WaitDurable(ctx, end-1); err != nil {
				return -1, -1, err
			}
		}
		return log.HighWatermark(), -1, nil
	case timeEarliest, timeEarliestLocal:
		return log.Start(), -1, nil
	case timeMax:
		return log.MaxTimestamp()
	case timeLatestTiered:
		return -1, -1, nil
	}
	return log.OffsetForTime(ms)
}

// partitionLog finds a partition's log and holds the leader epoch that the client knows (-1: none) against it.
func (h *Handlers) partitionLog(topic string, index, epoch int32) (*commitlog.Log, int16) {
	t := h.cfg.Topics.Get(topic)
	if t == nil || t.Partition(index) == nil {
		return nil, errUnknownTopicOrPartition
	}
	log := t.Partition(index).Log
	return log, checkEpoch(log, epoch)
}

// storageCode is the code for a log that could not be read.
func storageCode(err error) int16 {
	if errors.Is(err, commitlog.ErrClosed) {
		return errUnknownTopicOrPartition
	}
	return errStorage
}
