package handle

import (
	"context"
	"errors"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a client may ask for in place of a time.
const (
	timeLatest        int64 = -1
	timeEarliest      int64 = -2
	timeMax           int64 = -3 // the record with the latest time
	timeEarliestLocal int64 = -4 // all there is is local
	timeLatestTiered  int64 = -5 // nothing is tiered
)

// mostSearches bounds how many logs are searched at a time: a batch that is looked into may be large unpacked.
const mostSearches = 2

// timeSince says from which version on a name for a time may be asked for; what is not here is UNSUPPORTED_VERSION.
var timeSince = map[int64]int16{timeLatest: 0, timeEarliest: 0, timeMax: 7, timeEarliestLocal: 8, timeLatestTiered: 9}

// ListOffsets (key 2): the offset of a time, or an end of a partition.
//
// Versions 0 to 10. Latest is the high watermark, for readers of committed records the last stable offset. A time gives the
// first record, in offset order, that is as late; none gives offset -1. Both wait first for everything that was appended
// before the question: whoever asks where the log ends after a crash must not get an answer from before a sync that is
// still running, and whoever was told that a record is there finds it. A partition that is named twice is refused.
//
// Version notes: 0 answers with a list: where segments begin that were last written before the time, newest first, and
// before them the latest offset if the time is not past; 2 brings the isolation level; 4 fences by leader epoch; 6 is
// flexible; 10 adds a timeout for tiers.
func (h *Handlers) listOffsets(ctx context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ListOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	asked := map[string]map[int32]int{}
	for i := range req.Topics {
		t := &req.Topics[i]
		if asked[t.Topic] == nil {
			asked[t.Topic] = map[int32]int{}
		}
		for j := range t.Partitions {
			asked[t.Topic][t.Partitions[j].Partition]++
		}
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		answer := kmsg.NewListOffsetsResponseTopic()
		answer.Topic = t.Topic
		may := h.may(r.Peer, acl.Describe, acl.Topic, t.Topic)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			times := asked[t.Topic][p.Partition]
			if times == 0 {
				continue // answered already
			}
			part := kmsg.NewListOffsetsResponseTopicPartition()
			switch part.Partition = p.Partition; {
			case !may:
				part.ErrorCode = errTopicAuthorizationFailed
			case times > 1:
				part.ErrorCode = errInvalidRequest
			default:
				h.listOffset(ctx, r.Peer, req, t.Topic, p, &part)
			}
			asked[t.Topic][p.Partition] = 0
			answer.Partitions = append(answer.Partitions, part)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, ctx.Err()
}

// listOffset answers for one partition.
func (h *Handlers) listOffset(ctx context.Context, peer Peer, req *kmsg.ListOffsetsRequest, topic string, p *kmsg.ListOffsetsRequestTopicPartition, answer *kmsg.ListOffsetsResponseTopicPartition) {
	if since, ok := timeSince[p.Timestamp]; p.Timestamp < 0 && (!ok || req.Version < since) {
		answer.ErrorCode = errUnsupportedVersion
		return
	}
	log, code := h.partitionLog(topic, p.Partition, p.CurrentLeaderEpoch)
	if code != errNone {
		answer.ErrorCode = code
		return
	}
	end, err := settledEnd(ctx, log, p.Timestamp, req.IsolationLevel == 1 && req.Version >= 2)
	var offset record.Offset
	var ms int64
	if err == nil && req.Version == 0 {
		answer.OldStyleOffsets = oldOffsets(log.Segments(), end, p.Timestamp, int(p.MaxNumOffsets))
		return
	}
	if err == nil {
		offset, ms, err = h.offsetOf(ctx, log, p.Timestamp, end)
	}
	if isDamage(err) {
		h.sayDamage(peer, topic, p.Partition, sought{"time", p.Timestamp}, err)
		answer.ErrorCode = errCorruptMessage
		return
	} else if err != nil {
		h.log.Error("looking for an offset", peer.Who(), "topic", topic, "partition", p.Partition, "time", p.Timestamp, "error", err)
		answer.ErrorCode = storageCode(err)
		return
	}
	if answer.Offset, answer.Timestamp = int64(offset), ms; offset >= 0 {
		answer.LeaderEpoch = log.EpochAt(offset)
	}
}

// settledEnd is the offset up to which a client may read. Unless it asks for the earliest one only, it waits until all that
// was appended so far is on the disk.
func settledEnd(ctx context.Context, log *commitlog.Log, ms int64, committed bool) (record.Offset, error) {
	if end := log.End(); ms != timeEarliest && ms != timeEarliestLocal && end > log.HighWatermark() {
		if err := log.WaitDurable(ctx, end-1); err != nil && (ms == timeLatest || ctx.Err() != nil) {
			return -1, err
		}
	}
	if committed {
		return log.LastStable(), nil
	}
	return log.HighWatermark(), nil
}

// offsetOf finds the offset of a time or of one of the names for it, and the time of the record found (else -1), in a log
// that may be read up to end.
func (h *Handlers) offsetOf(ctx context.Context, log *commitlog.Log, ms int64, end record.Offset) (offset record.Offset, found int64, err error) {
	switch ms {
	case timeLatest:
		return end, -1, nil
	case timeEarliest, timeEarliestLocal:
		return log.Start(), -1, nil
	case timeLatestTiered:
		return -1, -1, nil
	}
	if err := h.searches.Acquire(ctx, 1); err != nil {
		return -1, -1, err
	}
	defer h.searches.Release(1)
	switch ms {
	case timeMax:
		offset, found, err = log.MaxTimestamp()
	default:
		offset, found, err = log.OffsetForTime(ms)
	}
	if offset >= end {
		return -1, -1, err
	}
	return offset, found, err
}

// oldOffsets is the answer of version 0.
func oldOffsets(segments []commitlog.SegmentInfo, end record.Offset, ms int64, most int) []int64 {
	type edge struct {
		offset record.Offset
		ms     int64
	}
	var edges []edge
	for _, s := range segments {
		if s.Written.IsZero() {
			s.Written = time.Now()
		}
		edges = append(edges, edge{s.Base, s.Written.UnixMilli()})
	}
	if n := len(segments); n > 0 && segments[n-1].Size > 0 {
		edges = append(edges, edge{end, time.Now().UnixMilli()})
	}
	last := len(edges) - 1
	switch ms {
	case timeLatest:
	case timeEarliest:
		last = min(last, 0)
	default:
		for last >= 0 && edges[last].ms > ms {
			last--
		}
	}
	offsets := []int64{} // an empty list, not null
	for ; last >= 0 && len(offsets) < most; last-- {
		offsets = append(offsets, int64(min(edges[last].offset, end)))
	}
	return offsets
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
