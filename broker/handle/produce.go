package handle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// Produce (key 0): append record batches.
//
// Versions 0 to 11. A batch is checked (check.go, check_records.go), brought into the topic's form (prepare.go), stamped
// with base offset and leader epoch in place, and appended; as a rule the bytes are those that came. A batch of a
// transaction is let in by its coordinator (KIP-890). acks=0 is not answered, and an error closes the connection, so that
// the client looks again; acks=1 is answered when the bytes are with the kernel; acks=all when they are on the disk, a
// duplicate's too. Everything is appended before anything is waited for, so a pipelining client's next request is appended
// meanwhile.
//
// min.insync.replicas counts for no more than the replicas there are, as in Kafka: one.
//
// Version notes: 0 to 2 may bring any format: a message set of formats 0 and 1 becomes one batch, and of a set that ends
// within a message the end is left out; 1 brings the throttle time, 2 the broker's time; from 3 on there is exactly one
// batch of format 2 a partition; zstd needs 7; 8 brings error messages; 9 is flexible; 10 and 11 add what a one-node broker
// never says.
func (h *Handlers) produce(header wire.Header, body []byte, peer Peer) (Reply, error) {
	req := produceRequests.get()
	defer produceRequests.put(req)
	if err := req.Decode(body, header.Version); err != nil {
		return nil, err
	}
	req.Throttle = h.charge(peer, header.ClientID, quota.Produce, len(body))
	refused := h.refuseProduce(req, header.Version, peer)
	results := make([]wire.ProduceResult, len(req.Partitions))
	var waits []durableWait
	var failed error // the first, when no answer tells of it
	named := 0       // records that the answer tells of
	for _, t := range req.Topics {
		in := arrival{topic: h.cfg.Topics.Find(t.Name), version: header.Version, transactionalID: req.TransactionalID}
		if in.refused = refused; refused == nil {
			in.refused = h.refuseTopic(in.topic, t.Name, peer)
		}
		for i := t.First; i < t.End; i++ {
			in.partition, in.records = req.Partitions[i].Index, req.Partitions[i].Records
			got, err := h.append(&in)
			results[i] = got.result(err)
			if results[i].Error != errNone {
				h.cfg.Meter.Refused(results[i].Error)
			}
			if named += len(results[i].Records); named > mostFaults {
				results[i].Records = nil
			}
			if err != nil && req.Acks == 0 && failed == nil {
				failed = fmt.Errorf("producing to %s-%d without acks: %w", t.Name, in.partition, err)
			}
			if err == nil && req.Acks == -1 && got.Last >= 0 {
				waits = append(waits, durableWait{log: got.log, last: got.Last, partition: i})
			}
		}
	}
	if req.Acks == 0 {
		return nil, failed
	}
	return h.answerProduce(header, req, results, waits), nil
}

// answerProduce makes the answer, which waits for the disk where that is asked for.
func (h *Handlers) answerProduce(header wire.Header, req *wire.ProduceRequest, results []wire.ProduceResult, waits []durableWait) Reply {
	flexible := header.Version >= find(keyProduce).flexible
	b := wire.AppendResponseHeader(make([]byte, 0, 64+32*len(results)), header.Correlation, flexible)
	b, marks := wire.AppendProduceResponse(b, req, results, header.Version)
	wire.SetLength(b, 0)
	for i := range waits {
		waits[i].mark = marks[waits[i].partition]
	}
	if len(waits) == 0 {
		return bytesReply(b)
	}
	patience := max(time.Duration(req.TimeoutMillis)*time.Millisecond, leastPatience)
	return &produceReply{b: b, waits: waits, until: time.Now().Add(patience), meter: h.cfg.Meter}
}

// leastPatience is how long the disk is waited for at least: a one-node Kafka never times out, so clients that ask for
// no time at all work with it.
const leastPatience = 5 * time.Second

// arrival is one partition's records of a Produce request.
type arrival struct {
	topic           *topics.Topic // nil: unknown
	partition       int32
	records         []byte
	version         int16
	transactionalID []byte // nil: none
	refused         error  // the request or the topic is
}

// appended is what became of them.
type appended struct {
	commitlog.Appended
	log  *commitlog.Log // nil: the partition was not looked at
	time int64          // milliseconds since 1970 when the broker gave the records their time, else -1
}

// append checks one partition's records and appends them.
func (h *Handlers) append(in *arrival) (appended, error) {
	got := appended{Appended: commitlog.Appended{Base: -1, Last: -1}, time: -1}
	if in.refused != nil {
		return got, in.refused
	}
	partition := in.topic.Partition(in.partition)
	if partition == nil {
		return got, early(errUnknownTopicOrPartition, "")
	}
	if err := h.admit(in); err != nil {
		return got, err
	}
	got.log = partition.Log
	err := h.take(in, &got)
	h.cfg.Room.Note(len(in.records), err)
	return got, err
}

// take is append for a partition that there is, with room on the disk.
func (h *Handlers) take(in *arrival, got *appended) error {
	e := in.topic.Effective()
	p, err := prepare(in.records, in.version, e)
	defer p.release()
	if err != nil || p.batch == nil {
		return err
	}
	if p.header.Transactional() {
		leave, err := h.enter(in, p.header)
		if err != nil {
			return err
		}
		defer leave()
	}
	size := len(p.batch)
	if got.Appended, err = got.log.Append(p.batch); err == nil && !got.Duplicate {
		h.cfg.Meter.Received(in.topic.Name, int(p.header.Count), size)
	}
	if e.AppendTime && err == nil {
		got.time = record.MaxTime(p.batch)
	}
	return err
}

// result is the answer for one partition, as far as it is known before the disk has it.
func (a *appended) result(err error) wire.ProduceResult {
	if err == nil {
		return wire.ProduceResult{Base: int64(a.Base), AppendTime: a.time, LogStart: int64(a.log.Start())}
	}
	code, message := produceError(err)
	res := wire.ProduceResult{Error: code, Base: -1, AppendTime: -1, LogStart: -1, Message: message}
	var c *codedError
	if errors.As(err, &c) {
		res.Records = c.records
		if c.early {
			return res
		}
	}
	switch code {
	case errInvalidRecord, errInvalidTimestamp, errOutOfOrderSequence, errInvalidProducerEpoch, errInvalidTxnState:
		res.LogStart = int64(a.log.Start()) // Kafka tells it with these
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
	case errors.Is(err, commitlog.ErrInvalidTxnState):
		return errInvalidTxnState, err.Error()
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
	meter Meter
}

// Ready is the answer when the disk has all, or has failed.
func (p *produceReply) Ready() ([]byte, bool) {
	if !p.settled() {
		return nil, false
	}
	p.await(context.Background()) // for nothing
	return p.b, true
}

// settled says whether there is nothing to wait for.
func (p *produceReply) settled() bool {
	for _, w := range p.waits {
		if !w.log.Settled(w.last) {
			return false
		}
	}
	return true
}

// Send waits for the disk, corrects the answer where that failed, and writes it.
func (p *produceReply) Send(ctx context.Context, out *wire.Out) error {
	waitCtx, cancel := context.WithDeadline(ctx, p.until)
	defer cancel()
	p.await(waitCtx)
	if err := ctx.Err(); err != nil {
		return err
	}
	return out.Write(p.b)
}

// await waits for the disk, and writes into the answer where that failed.
func (p *produceReply) await(ctx context.Context) {
	for _, w := range p.waits[min(1, len(p.waits)):] {
		w.log.Expect(w.last)
	}
	for _, w := range p.waits {
		if err := w.log.WaitDurable(ctx, w.last); err != nil {
			code, _ := produceError(err)
			p.meter.Refused(code)
			at := p.b[w.mark:]
			binary.BigEndian.PutUint16(at, uint16(code))
			binary.BigEndian.PutUint64(at[2:], ^uint64(0)) // base offset -1
		}
	}
}

// Drop has nothing to give back: the batches stay in the log.
func (p *produceReply) Drop() {}

// Size is what the answer and its waits hold.
func (p *produceReply) Size() int { return len(p.b) + 64*len(p.waits) }
