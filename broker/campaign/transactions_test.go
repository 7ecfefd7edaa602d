package campaign

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transactions is a transactional producer that writes to two partitions and to its group's offsets: readers of what is
// committed see each transaction whole or not at all, and the group's offset is that of the last one they see.
type transactions struct {
	w        *world
	id       string
	retained bool // the oldest may go
	conn     *kafka.Conn
	producer record.Producer
	sequence [2]int32
	fates    []fate
}

// fate is what the producer knows of a transaction.
type fate int8

const (
	aborted   fate = iota // or never brought to an end: nobody sees it
	committed             // the answer said so
	doubtful              // a commit without an answer
)

// perPartition is how many records a transaction writes into each partition.
const perPartition = 3

func (x *transactions) topic() string { return "txn-" + x.id }

func (x *transactions) topics() []kmsg.CreateTopicsRequestTopic {
	if x.retained {
		return []kmsg.CreateTopicsRequestTopic{topic(x.topic(), 2, "segment.bytes", "65536", "retention.bytes", "262144")}
	}
	return []kmsg.CreateTopicsRequestTopic{topic(x.topic(), 2, "segment.bytes", "32768")}
}

func (x *transactions) run(ctx context.Context) {
	defer func() { hangUp(x.conn) }()
	for ctx.Err() == nil {
		if !x.begin(ctx) {
			return
		}
		x.fates = append(x.fates, x.transact(int64(len(x.fates))))
		switch x.fates[len(x.fates)-1] {
		case committed:
			x.w.count.committed.Add(1)
		case doubtful:
			x.w.count.doubtful.Add(1)
		case aborted:
			x.w.count.aborted.Add(1)
		}
	}
	x.begin(x.w.life) // ends what may be open
}

// begin sees to it that there is a connection and a producer. What the last one left open is ended by it.
func (x *transactions) begin(ctx context.Context) bool {
	for x.conn == nil {
		conn := x.w.dial(ctx)
		if conn == nil {
			return false
		}
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &x.id, 60_000, -1, -1
		resp, err := call[*kmsg.InitProducerIDResponse](x.w.life, conn, 4, req)
		if err != nil || x.passes("InitProducerId", resp.ErrorCode) {
			hangUp(conn)
			rest(ctx, settled)
			continue
		}
		x.conn, x.producer, x.sequence = conn, record.Producer{ID: resp.ProducerID, Epoch: resp.ProducerEpoch}, [2]int32{}
	}
	return x.conn != nil
}

// passes tells whether a code asks to try again; what else is no success is wrong.
func (x *transactions) passes(what string, code int16) bool {
	switch err := kerr.ErrorForCode(code); err {
	case nil:
		return false
	case kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator:
		return true
	default:
		x.w.fail("%s of %s: %v", what, x.id, err)
		return true
	}
}

// try asks until the answer is not to try again; false: the connection is gone.
func (x *transactions) try(what string, ask func(context.Context) (int16, error)) bool {
	for {
		code, err := ask(x.w.life)
		if err != nil {
			hangUp(x.conn)
			x.conn = nil
			return false
		}
		if !x.passes(what, code) {
			return true
		}
		if x.w.failed() {
			return false
		}
		rest(x.w.life, settled)
	}
}

// transact is one transaction from its first record to its end.
func (x *transactions) transact(n int64) fate {
	if !x.try("AddPartitionsToTxn", x.addPartitions) {
		return aborted
	}
	for p := range int32(2) {
		if !x.try("Produce", func(ctx context.Context) (int16, error) {
			b := x.producer
			b.Sequence = x.sequence[p]
			batch := seal(b, x.id, n*perPartition, perPartition)
			record.SetTransactional(batch)
			resp, err := produce(ctx, x.conn, x.topic(), p, x.id, batch)
			return resp.ErrorCode, err
		}) {
			return aborted
		}
		x.sequence[p] += perPartition
	}
	if !x.try("AddOffsetsToTxn", x.addOffsets) || !x.try("TxnOffsetCommit", func(ctx context.Context) (int16, error) { return x.commitOffset(ctx, n) }) {
		return aborted
	}
	commit := rand.IntN(4) > 0
	answered := x.try("EndTxn", func(ctx context.Context) (int16, error) {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = x.id, x.producer.ID, x.producer.Epoch, commit
		resp, err := call[*kmsg.EndTxnResponse](ctx, x.conn, 3, req)
		if err != nil {
			return 0, err
		}
		return resp.ErrorCode, nil
	})
	switch {
	case !commit:
		return aborted
	case answered:
		return committed
	}
	return doubtful
}

func (x *transactions) addPartitions(ctx context.Context) (int16, error) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = x.id, x.producer.ID, x.producer.Epoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: x.topic(), Partitions: []int32{0, 1}}}
	resp, err := call[*kmsg.AddPartitionsToTxnResponse](ctx, x.conn, 3, req)
	if err != nil {
		return 0, err
	}
	return resp.Topics[0].Partitions[0].ErrorCode, nil
}

func (x *transactions) addOffsets(ctx context.Context) (int16, error) {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = x.id, x.producer.ID, x.producer.Epoch, "g-"+x.id
	resp, err := call[*kmsg.AddOffsetsToTxnResponse](ctx, x.conn, 3, req)
	if err != nil {
		return 0, err
	}
	return resp.ErrorCode, nil
}

func (x *transactions) commitOffset(ctx context.Context, n int64) (int16, error) {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = x.id, x.producer.ID, x.producer.Epoch, "g-"+x.id, -1
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = n
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: x.topic(), Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	resp, err := call[*kmsg.TxnOffsetCommitResponse](ctx, x.conn, 3, req)
	if err != nil {
		return 0, err
	}
	return resp.Topics[0].Partitions[0].ErrorCode, nil
}

func (x *transactions) check(ctx context.Context) {
	var seen [2][]int64 // transactions, in order
	var records [2]int64
	x.w.read(ctx, x.topic(), 2, func(r *kgo.Record) {
		name, n, ok := parse(string(r.Value))
		if records[r.Partition]++; !ok || name != x.id || n%perPartition != (records[r.Partition]-1)%perPartition {
			x.w.fail("%s-%d: at offset %d is %.60q, in the middle of a transaction", x.topic(), r.Partition, r.Offset, r.Value)
		}
		if n%perPartition == 0 {
			seen[r.Partition] = append(seen[r.Partition], n/perPartition)
		} else if all := seen[r.Partition]; len(all) == 0 || all[len(all)-1] != n/perPartition {
			x.w.fail("%s-%d: at offset %d is a piece of transaction %d", x.topic(), r.Partition, r.Offset, n/perPartition)
		}
	}, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	from := int64(0) // where both partitions have all
	for _, all := range seen {
		if x.retained && len(all) > 0 {
			from = max(from, all[0])
		}
	}
	last := int64(-1)
	for p, left := range seen {
		for len(left) > 0 && left[0] < from {
			left = left[1:]
		}
		for n := from; n < int64(len(x.fates)); n++ {
			there := len(left) > 0 && left[0] == n
			if there {
				left, last = left[1:], max(last, n)
			}
			if f := x.fates[n]; there && f == aborted || !there && f == committed || f == doubtful && there != slices.Contains(seen[1-p], n) {
				x.w.fail("%s-%d: transaction %d is of fate %d, seen: %t", x.topic(), p, n, f, there)
			}
		}
		if len(left) > 0 {
			x.w.fail("%s-%d: transaction %d comes where nobody sent it", x.topic(), p, left[0])
		}
	}
	if got := x.w.offset(ctx, "g-"+x.id, x.topic(), 0); got != last {
		x.w.fail("the offset of group g-%s is %d, its last committed transaction %d", x.id, got, last)
	}
}
