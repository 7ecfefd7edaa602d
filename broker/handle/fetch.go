package handle

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
)

// Fetch (key 1): read record batches.
//
// Versions 4 to 16. The batches go out as they lie in their segments, with sendfile on plain TCP. The answer is given
// when MinBytes are there, when there is more than it may hold, when MaxWait is over, or when a partition has an error;
// the first batch is sent whole even if it is larger than asked for (KIP-74), others only as far as they fit. Nothing
// behind the high watermark is read, which is what is on the disk.
//
// Version notes: 7 brings sessions (KIP-227): this broker keeps none, says session 0, and every request names all of
// its partitions; 9 fences by leader epoch; 12 is flexible; 13 names topics by id; 15 drops the replica id.
func (h *Handlers) fetch(frame *wire.Frame, header wire.Header, body []byte) (Reply, error) {
	f := fetchReplies.get()
	if err := f.req.Decode(body, header.Version); err != nil {
		frame.Release()
		fetchReplies.put(f)
		return nil, err
	}
	f.h, f.frame, f.header, f.bytes = h, frame, header, 0
	f.until = time.Now().Add(time.Duration(f.req.MaxWaitMillis) * time.Millisecond)
	return f, nil
}

// fetchReply is one Fetch request on its way to an answer. The frame stays, because topic names alias it.
type fetchReply struct {
	h      *Handlers
	frame  *wire.Frame
	header wire.Header
	until  time.Time
	req    wire.FetchRequest

	topics  []*topics.Topic    // by topic of the request, nil when unknown
	results []wire.FetchResult // by partition of the request
	spans   []*commitlog.Span
	ranges  []wire.Range
	head    wire.FetchHead
	bytes   int  // of records in results
	urgent  bool // a partition has an error, or more than fits: answer at once
}

// Drop gives everything back.
func (f *fetchReply) Drop() {
	f.release()
	f.frame.Release()
	clear(f.topics)
	f.h, f.frame = nil, nil
	fetchReplies.put(f)
}

// release gives the files back.
func (f *fetchReply) release() {
	for _, s := range f.spans {
		s.Release()
	}
	clear(f.spans)
	f.spans = f.spans[:0]
}

// Send waits for enough records, or long enough, and writes the answer.
func (f *fetchReply) Send(ctx context.Context, out *wire.Out) error {
	defer f.Drop()
	var code int16
	if f.req.SessionID != 0 && f.req.SessionEpoch > 0 {
		code = errFetchSessionNotFound // it cannot be ours; the client then goes on without
	} else if f.find(); !f.ready() {
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
	f.head.B = wire.AppendResponseHeader(f.head.B[:0], f.header.Correlation, f.header.Version >= find(keyFetch).flexible)
	wire.AppendFetchResponse(&f.head, &f.req, f.results, code, f.header.Version)
	wire.SetLength(f.head.B, f.bytes)
	if code != 0 || f.bytes == 0 {
		return out.Write(f.head.B)
	}
	if err := out.WriteFetch(&f.head, f.ranges); err != nil {
		return err
	}
	f.meter()
	return nil
}

// find looks the topics up, once for a request.
func (f *fetchReply) find() {
	f.topics = f.topics[:0]
	for _, t := range f.req.Topics {
		if f.header.Version >= 13 {
			f.topics = append(f.topics, f.h.cfg.Topics.ByID(t.ID))
		} else {
			f.topics = append(f.topics, f.h.cfg.Topics.Find(t.Name))
		}
	}
}

// ready reads what is there and says whether it is enough for an answer.
func (f *fetchReply) ready() bool {
	f.release()
	f.results, f.ranges = f.results[:0], f.ranges[:0]
	f.bytes, f.urgent = 0, false
	limit := min(int(f.req.MaxBytes), int(f.h.cfg.Topics.Settings().Int("fetch.max.bytes")))
	for t, topic := range f.topics {
		for i := f.req.Topics[t].First; i < f.req.Topics[t].End; i++ {
			res, span := f.read(topic, &f.req.Partitions[i], limit-f.bytes)
			var r wire.Range
			if span != nil {
				res.Length = span.Length
				f.bytes += span.Length
				f.spans = append(f.spans, span)
				r = wire.Range{File: span.File, Position: span.Position, Length: span.Length}
			}
			f.urgent = f.urgent || res.Error != errNone
			f.results, f.ranges = append(f.results, res), append(f.ranges, r)
		}
	}
	return f.urgent || f.bytes >= int(f.req.MinBytes) || len(f.results) == 0
}

// read reads one partition: at most what it and the whole answer may have, but the answer's first batch always.
func (f *fetchReply) read(topic *topics.Topic, p *wire.FetchPartition, left int) (wire.FetchResult, *commitlog.Span) {
	if topic == nil || topic.Partition(p.Index) == nil {
		if topic == nil && f.header.Version >= 13 {
			return fetchError(errUnknownTopicID), nil
		}
		return fetchError(errUnknownTopicOrPartition), nil
	}
	log := topic.Partition(p.Index).Log
	if code := checkEpoch(log, p.LeaderEpoch); code != errNone {
		return fetchError(code), nil
	}
	res := wire.FetchResult{HighWatermark: log.HighWatermark(), LogStart: log.Start()}
	if p.Offset == res.HighWatermark && log.Err() == nil {
		return res, nil // the common case of a consumer that waits
	}
	most := min(int(p.MaxBytes), left)
	if f.bytes > 0 && most <= 0 {
		f.urgent = true
		return res, nil
	}
	span, err := log.Read(p.Offset, max(most, 0))
	if err != nil {
		return fetchError(f.readError(topic, p, err)), nil
	}
	// Whole batches seldom fill a partition's share: who wants as many bytes as that would wait in vain for the rest.
	crowded := span.Length > most && f.bytes > 0
	f.urgent = f.urgent || span.More || crowded
	if crowded {
		span.Release()
		return res, nil
	}
	// The watermark may have risen since; an answer must not hold records behind its own.
	res.HighWatermark = log.HighWatermark()
	return res, span
}

// readError is Kafka's code for a failed read; damage and a broken disk are told to the operator too.
func (f *fetchReply) readError(topic *topics.Topic, p *wire.FetchPartition, err error) int16 {
	switch {
	case errors.Is(err, commitlog.ErrOffsetOutOfRange):
		return errOffsetOutOfRange
	case errors.Is(err, commitlog.ErrClosed):
		return errUnknownTopicOrPartition
	}
	f.h.log.Error("reading for a Fetch request", "topic", topic.Name, "partition", p.Index, "offset", int64(p.Offset), "error", err)
	return errStorage
}

func fetchError(code int16) wire.FetchResult {
	return wire.FetchResult{Error: code, HighWatermark: -1, LogStart: -1}
}

// checkEpoch compares the leader epoch that a client knows (-1: none) with the log's (KIP-320).
func checkEpoch(log *commitlog.Log, epoch int32) int16 {
	switch {
	case epoch < 0 || epoch == log.LeaderEpoch():
		return errNone
	case epoch < log.LeaderEpoch():
		return errFencedLeaderEpoch
	}
	return errUnknownLeaderEpoch
}

// meter counts what was sent.
func (f *fetchReply) meter() {
	for t, topic := range f.topics {
		n := 0
		for i := f.req.Topics[t].First; i < f.req.Topics[t].End; i++ {
			n += f.results[i].Length
		}
		if n > 0 {
			f.h.cfg.Meter.Sent(topic.Name, n)
		}
	}
}

// freelist keeps objects of one request for the next.
type freelist[T any] struct{ pool sync.Pool }

func (l *freelist[T]) get() *T {
	if v, ok := l.pool.Get().(*T); ok {
		return v
	}
	return new(T)
}

func (l *freelist[T]) put(v *T) { l.pool.Put(v) }

var (
	fetchReplies    freelist[fetchReply]
	produceRequests freelist[wire.ProduceRequest]
)
