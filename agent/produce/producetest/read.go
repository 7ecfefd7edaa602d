package producetest

import (
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
	var out []byte
	for _, batch := range l.Batches {
		h, err := record.ParseHeader(batch)
		if err != nil || h.LastOffset() < from || h.LastOffset() < l.Start {
			continue
		}
		if h.LastOffset() >= l.End-l.Behind {
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
			rp.Partition, rp.ErrorCode, rp.Offset = p.Partition, b.Read, int64(l.since(p.Timestamp))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (l *Log) since(when int64) record.Offset {
	switch when {
	case -1:
		return l.End - l.Behind
	case -2:
		return l.Start
	}
	for _, batch := range l.Batches {
		if h, err := record.ParseHeader(batch); err == nil && h.MaxTimestamp >= when && h.LastOffset() >= l.Start {
			return max(h.BaseOffset, l.Start)
		}
	}
	return -1
}
