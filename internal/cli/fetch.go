package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchWait  = 500     // milliseconds the broker may wait for something new
	fetchBytes = 4 << 20 // of one partition in an answer; two answers are in memory at a time for each leader
)

// errElsewhere is the class of errors after which a partition must be looked for again: its leader moved, or the
// connection broke.
var errElsewhere = errors.New("the leader is elsewhere")

// fetched is what one answer holds of one partition: whole batches, from the offset asked for or a little before.
// Ownership of the bytes passes with it.
type fetched struct {
	topic     string
	group     string // of the reader; empty: none
	partition int32
	next      record.Offset // behind the last whole batch
	batches   []byte
	aborted   []kmsg.FetchResponseTopicPartitionAbortedTransaction
}

// stretch is what is still wanted of a partition.
type stretch struct{ from, to record.Offset } // to < 0: without end

func (s stretch) done() bool { return s.to >= 0 && s.from >= s.to }

// fetcher reads partitions from the one broker that leads them.
type fetcher struct {
	cfg   kafka.Config
	addr  string
	topic string
	group string            // of the reader; empty: none
	want  map[int32]stretch // the fetcher's own copy
	out   chan<- fetched    // closed by whoever started the fetchers, after all have returned
}

// run fetches until every stretch is done (nil), ctx ends (its error), or something fails. While one answer is
// being shown the next is on its way.
func (f *fetcher) run(ctx context.Context) error {
	conn, err := f.cfg.Dial(ctx, f.addr)
	if err != nil {
		return &classed{errElsewhere, err}
	}
	defer conn.Close()
	for {
		for p, s := range f.want {
			if s.done() {
				delete(f.want, p)
			}
		}
		if len(f.want) == 0 {
			return nil
		}
		resp, err := conn.Call(ctx, f.request())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return &classed{errElsewhere, err}
		}
		for _, t := range resp.(*kmsg.FetchResponse).Topics {
			for _, p := range t.Partitions {
				if err := f.take(ctx, &p); err != nil {
					return err
				}
			}
		}
	}
}

// request is Fetch v11, the last version without flexible encoding, which every Kafka since 2.3 speaks.
func (f *fetcher) request() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 11, -1, fetchWait, 1, 2*fetchBytes
	req.IsolationLevel, req.SessionEpoch = 1, -1 // read committed; no fetch session
	t := kmsg.NewFetchRequestTopic()
	t.Topic = f.topic
	for n, s := range f.want {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.PartitionMaxBytes = n, -1, int64(s.from), fetchBytes
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// take hands on what an answer holds of one partition.
func (f *fetcher) take(ctx context.Context, p *kmsg.FetchResponseTopicPartition) error {
	s, asked := f.want[p.Partition]
	if !asked {
		return nil
	}
	switch err := kerr.ErrorForCode(p.ErrorCode); {
	case err == nil:
	case errors.Is(err, kerr.OffsetOutOfRange):
		return fmt.Errorf("offset %d of %s/%d is not there any more: its oldest is %d: start with --from beginning", s.from, f.topic, p.Partition, p.LogStartOffset)
	case errors.Is(err, kerr.CorruptMessage): // it does not pass, although it counts as one that does
		return fmt.Errorf("offset %d of %s/%d cannot be read: the broker says that records from there on are damaged or lost; its log and loghaul status name the file and the offsets it knows of: %s",
			s.from, f.topic, p.Partition, wayPast(f.group, f.topic, p.Partition, -1))
	case kerr.IsRetriable(err):
		return &classed{errElsewhere, fmt.Errorf("%s/%d: %w", f.topic, p.Partition, err)}
	default:
		return fmt.Errorf("reading %s/%d: %w", f.topic, p.Partition, notAllowed(err, "Read", "topic", f.topic))
	}
	size, next, unread := wholeBatches(p.RecordBatches)
	if size > 0 {
		s.from = next
		f.want[p.Partition] = s
		select {
		case f.out <- fetched{f.topic, f.group, p.Partition, next, p.RecordBatches[:size], p.AbortedTransactions}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if unread != nil && !s.done() {
		return &damagedBatch{p.Partition, s.from, fmt.Errorf("the batch of %s/%d that should hold offset %d was damaged on the broker's disk or on the way: %w: %s",
			f.topic, p.Partition, s.from, unread, wayPast(f.group, f.topic, p.Partition, -1))}
	}
	return nil
}

// wholeBatches gives the bytes of the whole batches at the head of b, the offset behind them, and why the next is none. A
// cut batch at the end is asked for again.
func wholeBatches(b []byte) (size int, next record.Offset, err error) {
	for len(b)-size >= record.HeaderSize {
		h, err := record.ParseHeader(b[size:])
		if err != nil {
			return size, next, err
		}
		if h.Size() > len(b)-size {
			break
		}
		size += h.Size()
		next = h.NextOffset()
	}
	return size, next, nil
}

// committed calls show with each record that no aborted transaction holds.
func (f *fetched) committed(r *record.Reader, show func(*record.Record) error) error {
	open := map[int64]bool{} // producers inside a transaction that will abort
	aborted := slices.SortedFunc(slices.Values(f.aborted), func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return int(min(1, max(-1, a.FirstOffset-b.FirstOffset)))
	})
	for b := f.batches; len(b) > 0; {
		h, err := record.ParseHeader(b)
		if err != nil {
			return err
		}
		for len(aborted) > 0 && aborted[0].FirstOffset <= int64(h.LastOffset()) {
			open[aborted[0].ProducerID], aborted = true, aborted[1:]
		}
		batch := b[:h.Size()]
		b = b[h.Size():]
		switch {
		case h.Control():
			// A producer's marker ends its transaction, committed or aborted.
			delete(open, h.ProducerID)
		case h.Transactional() && open[h.ProducerID]:
		default:
			if !record.CheckCRC(batch) {
				return f.damaged(h, errors.New("it has a wrong checksum"))
			}
			if err := r.Read(batch, kafka.MaxReply, show); errors.Is(err, record.ErrFormat) || errors.Is(err, record.ErrShort) {
				return f.damaged(h, err)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// damagedBatch is the error of a batch that came and cannot be read.
type damagedBatch struct {
	partition int32
	offset    record.Offset
	err       error
}

// Error is what the user sees.
func (d *damagedBatch) Error() string { return d.err.Error() }

// Unwrap gives the reason.
func (d *damagedBatch) Unwrap() error { return d.err }

// damaged names a batch that cannot be read, and the mend.
func (f *fetched) damaged(h record.Header, err error) error {
	return &damagedBatch{f.partition, h.BaseOffset, fmt.Errorf("the batch of %s/%d with the offsets %d to %d was damaged on the broker's disk or on the way: %w: %s",
		f.topic, f.partition, h.BaseOffset, h.LastOffset(), err, wayPast(f.group, f.topic, f.partition, h.NextOffset()))}
}

// wayPast is the mend of what cannot be read; behind it is the next offset, -1 where nobody knows it.
func wayPast(group, topic string, partition int32, behind record.Offset) string {
	to := "OFFSET"
	if behind >= 0 {
		to = strconv.FormatInt(int64(behind), 10)
	}
	on := "--from " + to
	if group != "" {
		on = fmt.Sprintf("loghaul group reset %s --topic %s --partition %d --to %s --yes", group, topic, partition, to)
	}
	return fmt.Sprintf("put back a copy of its file while the broker is stopped, read on behind it with %s, or give up what lies before with loghaul topic trim %s --partition %d --before %s",
		on, topic, partition, to)
}
