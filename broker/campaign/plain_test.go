package campaign

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// plain is a producer that is not idempotent and never tries again: a batch with an answer is at the offset of its answer,
// one without is there once or not at all, and none is half there.
type plain struct {
	w       *world
	batches []batch
}

// batch is one that was sent: the lines n, n+1, ... of it.
type batch struct {
	first, count int64
	offset       int64 // -1: no answer came
}

const plainTopic = "plain"

func (*plain) topics() []kmsg.CreateTopicsRequestTopic {
	return []kmsg.CreateTopicsRequestTopic{topic(plainTopic, 1, "segment.bytes", "32768")}
}

func (p *plain) run(ctx context.Context) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	var conn *kafka.Conn
	defer func() { hangUp(conn) }()
	for next := int64(0); ; <-tick.C {
		if conn == nil {
			conn = p.w.dial(ctx)
		}
		if ctx.Err() != nil || conn == nil {
			return
		}
		b := batch{first: next, count: 1 + rand.Int64N(5), offset: -1}
		next += b.count
		resp, err := produce(p.w.life, conn, plainTopic, 0, "", seal(record.NoProducer, "plain", b.first, b.count))
		switch {
		case err != nil:
			hangUp(conn)
			conn = nil
		case resp.ErrorCode != 0:
			p.w.fail("%s: %v", plainTopic, kerr.ErrorForCode(resp.ErrorCode))
		default:
			b.offset = resp.BaseOffset
			p.w.count.records.Add(b.count)
		}
		p.batches = append(p.batches, b)
	}
}

// hangUp closes a connection if there is one.
func hangUp(conn *kafka.Conn) {
	if conn != nil {
		conn.Close()
	}
}

// seal makes a batch of lines.
func seal(p record.Producer, name string, first, count int64) []byte {
	b := record.NewBuilder(0)
	for n := first; n < first+count; n++ {
		b.Append(0, nil, []byte(line(name, n)), 0, nil)
	}
	now := time.Now().UnixMilli()
	sealed, err := b.Seal(nil, p, record.None, now, now)
	if err != nil {
		panic(err) // no codec can fail
	}
	return sealed
}

// produce sends one batch with acks=all; txn is a transactional id or empty.
func produce(ctx context.Context, conn *kafka.Conn, topic string, partition int32, txn string, batch []byte) (kmsg.ProduceResponseTopicPartition, error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	if txn != "" {
		req.TransactionID = &txn
	}
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch}}}}
	resp, err := call[*kmsg.ProduceResponse](ctx, conn, 9, req)
	if err != nil {
		return kmsg.ProduceResponseTopicPartition{}, err
	}
	return resp.Topics[0].Partitions[0], nil
}

// call asks by hand.
func call[T kmsg.Response](ctx context.Context, conn *kafka.Conn, version int16, req kmsg.Request) (T, error) {
	var none T
	req.SetVersion(version)
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return none, err
	}
	return resp.(T), nil
}

func (p *plain) check(ctx context.Context) {
	at := map[int64]int64{} // offset of each line
	next := int64(0)
	p.w.read(ctx, plainTopic, 1, func(r *kgo.Record) {
		_, n, ok := parse(string(r.Value))
		if !ok || n < next {
			p.w.fail("%s: at offset %d is %.60q, after line %d", plainTopic, r.Offset, r.Value, next-1)
		}
		at[n], next = r.Offset, n+1
	})
	for _, b := range p.batches {
		there := int64(0)
		for i := range b.count {
			offset, ok := at[b.first+i]
			if !ok {
				continue
			}
			there++
			delete(at, b.first+i)
			if b.offset >= 0 && offset != b.offset+i {
				p.w.fail("%s: line %d was acknowledged at offset %d and is at %d", plainTopic, b.first+i, b.offset+i, offset)
			}
		}
		if there != b.count && (there != 0 || b.offset >= 0) {
			p.w.fail("%s: of the %d lines from %d, answered with offset %d, there are %d", plainTopic, b.count, b.first, b.offset, there)
		}
	}
	if len(at) > 0 {
		p.w.fail("%s: %d lines were never sent", plainTopic, len(at))
	}
}
