package producetest

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/record"
)

// fetch serves the batches of the logs from an offset on, whole ones only.
func (b *Broker) fetch(req *kmsg.FetchRequest) kmsg.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			l := b.Log(Partition{Topic: t.Topic, Number: p.Partition})
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.HighWatermark = p.Partition, b.Read, int64(l.End)
			if from := record.Offset(p.FetchOffset); b.Read == 0 {
				rp.ErrorCode, rp.RecordBatches = l.read(from, int(p.PartitionMaxBytes))
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// read answers batches from an offset on, the first whatever its size.
func (l *Log) read(from record.Offset, most int) (int16, []byte) {
	if from < l.Start || from > l.End {
		return kerr.OffsetOutOfRange.Code, nil
	}
	if from >= l.Hole[0] && from < l.Hole[1] {
		return kerr.CorruptMessage.Code, nil
	}
	out := slices.Clone(l.Old)
	for _, batch := range l.Batches {
		h, err := record.ParseHeader(batch)
		if err != nil || h.LastOffset() < from || h.LastOffset() < l.Start {
			continue
		}
		if from >= h.BaseOffset {
			out = nil // they come before it
		}
		if h.LastOffset() >= l.End-l.Behind || from < l.Hole[0] && h.LastOffset() >= l.Hole[0] {
			break
		}
		if len(out) > 0 && len(out)+len(batch) > most {
			break
		}
		out = append(out, batch...)
	}
	return 0, out
}

// offsets answers the bounds of the logs, and the first offset of a time.
func (b *Broker) offsets(req *kmsg.ListOffsetsRequest) kmsg.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			l := b.Log(Partition{Topic: t.Topic, Number: p.Partition})
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.Offset, rp.LeaderEpoch = p.Partition, b.Read, int64(l.since(p.Timestamp)), 0
			if b.Ended != nil && p.Timestamp < 0 {
				b.Ended(Partition{Topic: t.Topic, Number: p.Partition})
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// epochs answers where the one epoch of each log ends: with what only the leader has.
func (b *Broker) epochs(req *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, 0, int64(b.Log(Partition{Topic: t.Topic, Number: p.Partition}).End)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// unknown says whether the broker has never heard of a request.
func (b *Broker) unknown(key int16) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.Unknown, key)
}

// versions lists all requests but the unknown ones.
func (b *Broker) versions(req *kmsg.ApiVersionsRequest) (kmsg.Response, error, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.Unknown) == 0 {
		return nil, nil, false
	}
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	for key := range int16(kmsg.MaxKey + 1) {
		if r := kmsg.RequestForKey(key); r != nil && !slices.Contains(b.Unknown, key) {
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: r.MaxVersion()})
		}
	}
	return resp, nil, true
}

func (l *Log) since(when int64) record.Offset {
	switch when {
	case -1:
		return l.End - l.Behind
	case -2:
		return l.Start
	}
	if len(l.Old) > 0 {
		return l.Start // their times are of the same day
	}
	for _, batch := range l.Batches {
		if h, err := record.ParseHeader(batch); err == nil && h.MaxTimestamp >= when && h.LastOffset() >= l.Start {
			return max(h.BaseOffset, l.Start)
		}
	}
	return -1
}
