package handle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// Produce (key 0): append record batches.
//
// Versions 3 to 11 (0 to 2 are advertised and refused). A batch is checked (check.go), stamped with base offset and
// leader epoch in place, and appended as it came; with message.timestamp.type=LogAppendTime, or a latest time that is
// not that of its records, time and checksum are written anew. acks=0 is not answered, and an error closes the
// connection, so that the client looks again; acks=1 is answered when the bytes are with the kernel; acks=all when they
// are on the disk, a duplicate's too. Everything is appended before anything is waited for, so a pipelining client's
// next request is appended meanwhile.
//
// Version notes: zstd needs 7; 8 brings error messages; 9 is flexible; 10 and 11 add what a one-node broker never says.
func (h *Handlers) produce(header wire.Header, body []byte) (Reply, error) {
	req := produceRequests.get()
	defer produceRequests.put(req)
	if err := req.Decode(body, header.Version); err != nil {
		return nil, err
	}
	results := make([]wire.ProduceResult, len(req.Partitions))
	var waits []durableWait
	for _, t := range req.Topics {
		topic := h.cfg.Topics.Find(t.Name)
		for i := t.First; i < t.End; i++ {
			p := &req.Partitions[i]
			appended, log, err := h.append(topic, p.Index, p.Records, req.Acks, header.Version)
			results[i] = h.produceResult(topic, log, appended, err)
			if err != nil && req.Acks == 0 {
				return nil, fmt.Errorf("producing to %s-%d without acks: %w", t.Name, p.Index, err)
			}
			if err == nil && req.Acks == -1 {
				waits = append(waits, durableWait{log: log, last: appended.Last, partition: i})
			}
		}
	}
	if req.Acks == 0 {
		return nil, nil
	}
	flexible := header.Version >= find(keyProduce).flexible
	b := wire.AppendResponseHeader(make([]byte, 0, 64+32*len(results)), header.Correlation, flexible)
	b, marks := wire.AppendProduceResponse(b, req, results, header.Version)
	wire.SetLength(b, 0)
	for i := range waits {
		waits[i].mark = marks[waits[i].partition]
	}
	if len(waits) == 0 {
		return bytesReply(b), nil
	}
	patience := max(time.Duration(req.TimeoutMillis)*time.Millisecond, leastPatience)
	return &produceReply{b: b, waits: waits, until: time.Now().Add(patience)}, nil
}

// leastPatience is how long the disk is waited for at least: a one-node Kafka never times out, so clients that ask for
// no time at all work with it.
const leastPatience = 5 * time.Second

// append checks one partition's records and appends them.
func (h *Handlers) append(topic *topics.Topic, index int32, batch []byte, acks, version int16) (commitlog.Appended, *commitlog.Log, error) {
	if acks < -1 || acks > 1 {
		return commitlog.Appended{}, nil, coded(errInvalidRequiredAcks, "acks is %d, not -1, 0 or 1", acks)
	}
	if topic == nil || topic.Partition(index) == nil {
		return commitlog.Appended{}, nil, coded(errUnknownTopicOrPartition, "")
	}
	if topics.IsInternal(topic.Name) {
		return commitlog.Appended{}, nil, coded(errInvalidTopic, "%s is the broker's own", topic.Name)
	}
	header, err := checkBatch(batch, version, topic.Effective().MaxMessage)
	if err != nil {
		return commitlog.Appended{}, nil, err
	}
	if topic.Effective().AppendTime {
		record.SetAppendTime(batch, time.Now().UnixMilli())
	}
	log := topic.Partition(index).Log
	appended, err := log.Append(batch)
	if err == nil && !appended.Duplicate {
		h.cfg.Meter.Received(topic.Name, int(header.Count), len(batch))
	}
	h.disk.note(h.log, log, err)
	return appended, log, err
}

// produceResult is the answer for one partition, as far as it is known before the disk has it.
func (h *Handlers) produceResult(topic *topics.Topic, log *commitlog.Log, a commitlog.Appended, err error) wire.ProduceResult {
	if err != nil {
		code, message := produceError(err)
		return wire.ProduceResult{Error: code, Base: -1, AppendTime: -1, LogStart: -1, Message: message}
	}
	res := wire.ProduceResult{Base: int64(a.Base), AppendTime: -1, LogStart: int64(log.Start())}
	if topic.Effective().AppendTime {
		res.AppendTime = time.Now().UnixMilli()
	}
	return res
}

// produceError turns what went wrong with one batch into Kafka's code. A full disk is NOT_ENOUGH_REPLICAS: every
// client of every age keeps the batch and sends it again, and nothing was written. A log that failed for good is
// KAFKA_STORAGE_ERROR.
func produceError(err error) (int16, string) {
	var c *codedError
	var storage *commitlog.StorageError
	switch {
	case errors.As(err, &c):
		return c.code, c.message
	case errors.Is(err, commitlog.ErrOutOfOrderSequence):
		return errOutOfOrderSequence, err.Error()
	case errors.Is(err, commitlog.ErrInvalidProducerEpoch):
		return errInvalidProducerEpoch, err.Error()
	case errors.Is(err, commitlog.ErrTooLarge):
		return errRecordListTooLarge, err.Error()
	case errors.Is(err, commitlog.ErrClosed):
		return errUnknownTopicOrPartition, ""
	case errors.Is(err, commitlog.ErrFailed):
		return errStorage, err.Error()
	case errors.As(err, &storage):
		return errNotEnoughReplicas, err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return errRequestTimedOut, ""
	}
	return errUnknownServer, err.Error()
}

// durableWait is a batch that is appended and not yet on the disk.
type durableWait struct {
	log       *commitlog.Log
	last      record.Offset
	partition int // in the request
	mark      int // where in the response this partition's error code stands
}

// produceReply answers when all its batches are on the disk.
type produceReply struct {
	b     []byte
	waits []durableWait
	until time.Time
}

// Send waits for the disk, corrects the answer where that failed, and writes it.
func (p *produceReply) Send(ctx context.Context, out *wire.Out) error {
	waitCtx, cancel := context.WithDeadline(ctx, p.until)
	defer cancel()
	for _, w := range p.waits {
		if err := w.log.WaitDurable(waitCtx, w.last); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			code, _ := produceError(err)
			at := p.b[w.mark:]
			binary.BigEndian.PutUint16(at, uint16(code))
			binary.BigEndian.PutUint64(at[2:], ^uint64(0)) // base offset -1
		}
	}
	return out.Write(p.b)
}

// Drop has nothing to give back: the batches stay in the log.
func (p *produceReply) Drop() {}
