package handle

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/record"
)

// Fetch (key 1): read record batches.
//
// Versions 0 to 16. The batches go out as they lie in their segments, with sendfile on plain TCP. The answer is given
// when MinBytes are there, when there is more than it may hold, when MaxWait is over, or when a partition has an error;
// the first batch is sent whole even if it is larger than asked for (KIP-74), others only as far as they fit. Nothing
// behind the high watermark is read, which is what is on the disk; readers of committed records stop at the last stable
// offset, and are told which transactions in what they get were aborted.
//
// Version notes: 0 to 3 get messages of format 0 or 1 (fetch_old.go); 1 brings the throttle time, 3 a bound for the whole
// answer, 4 transactions; 7 brings sessions (KIP-227): this broker keeps none, says session 0, and every request names all of
// its partitions; 9 fences by leader epoch; before 10 a topic of compression.type=zstd is refused; 12 is flexible; 13 names topics by id; 15 drops the replica id.
func (h *Handlers) fetch(frame *wire.Frame, header wire.Header, body []byte, peer Peer) (Reply, error) {
	f := fetchReplies.get()
	if err := f.req.Decode(body, header.Version); err != nil {
		frame.Release()
		fetchReplies.put(f)
		return nil, err
	}
	f.h, f.frame, f.header, f.peer, f.bytes = h, frame, header, peer, 0
	f.until = time.Now().Add(time.Duration(f.req.MaxWaitMillis) * time.Millisecond)
	return f, nil
}

// fetchReply is one Fetch request on its way to an answer. The frame stays, because topic names alias it.
type fetchReply struct {
	h      *Handlers
	frame  *wire.Frame
	header wire.Header
	peer   Peer
	until  time.Time
	req    wire.FetchRequest

	topics  []*topics.Topic    // by topic of the request, nil when unknown
	denied  []bool             // by topic of the request: the client may not read it
	results []wire.FetchResult // by partition of the request
	spans   []*commitlog.Span
	ranges  []wire.Range
	head    wire.FetchHead
	bytes   int      // of records in results
	urgent  bool     // a partition has an error, or more than fits: answer at once
	old     [][]byte // by partition, what versions 0 to 3 get in place of spans
}

// Drop gives everything back.
func (f *fetchReply) Drop() {
	f.release()
	f.frame.Release()
	clear(f.topics)
	clear(f.old)
	f.h, f.frame = nil, nil
	fetchReplies.put(f)
}

// Size is what the request holds: the answer is made when its turn has come.
func (f *fetchReply) Size() int { return len(f.frame.Bytes) }

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
	if f.header.Version < firstUnconverted && code == errNone {
		done, err := f.convert(ctx)
		if err != nil {
			return err
		}
		defer done()
	}
	f.head.B = wire.AppendResponseHeader(f.head.B[:0], f.header.Correlation, f.header.Version >= find(keyFetch).flexible)
	f.head.Throttle = f.h.charge(f.peer, f.header.ClientID, quota.Fetch, f.bytes)
	wire.AppendFetchResponse(&f.head, &f.req, f.results, code, f.header.Version)
	wire.SetLength(f.head.B, f.bytes)
	if code != 0 || f.bytes == 0 {
		return out.Write(f.head.B)
	}
	var err error
	if f.header.Version < firstUnconverted {
		err = out.WriteParts(&f.head, f.old)
	} else {
		err = out.WriteFetch(&f.head, f.ranges)
	}
	if err == nil {
		f.meter()
	}
	return err
}

// find looks the topics up, once for a request.
func (f *fetchReply) find() {
	f.topics, f.denied = f.topics[:0], f.denied[:0]
	for _, t := range f.req.Topics {
		var topic *topics.Topic
		name := ""
		if f.header.Version >= 13 {
			topic = f.h.cfg.Topics.ByID(t.ID)
		} else if topic = f.h.cfg.Topics.Find(t.Name); topic == nil {
			name = string(t.Name)
		}
		if topic != nil {
			name = topic.Name
		}
		denied := name != "" && !f.h.may(f.peer, acl.Read, acl.Topic, name)
		f.topics, f.denied = append(f.topics, topic), append(f.denied, denied)
	}
}

// ready reads what is there and says whether it is enough for an answer.
func (f *fetchReply) ready() bool {
	f.release()
	f.results, f.ranges = f.results[:0], f.ranges[:0]
	f.bytes, f.urgent = 0, false
	limit := min(int(f.req.MaxBytes), int(f.h.cfg.Topics.Settings().Int("fetch.max.bytes")))
	if f.header.Version < firstUnconverted {
		limit = min(limit, mostConverted)
	}
	for t, topic := range f.topics {
		for i := f.req.Topics[t].First; i < f.req.Topics[t].End; i++ {
			var res wire.FetchResult
			var span *commitlog.Span
			if f.denied[t] {
				res = fetchError(errTopicAuthorizationFailed)
			} else {
				res, span = f.read(topic, &f.req.Partitions[i], limit-f.bytes)
			}
			var r wire.Range
			if span != nil && span.Length > 0 { // spans are those of results with a length, in their order
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
	if code := f.refuse(topic, p); code != errNone {
		return fetchError(code), nil
	}
	log := topic.Partition(p.Index).Log
	res := f.marks(log)
	end := res.HighWatermark
	if f.req.ReadCommitted {
		end = res.LastStable
	}
	if p.Offset == end && log.Err() == nil {
		return res, nil // the common case of a consumer that waits
	}
	most := min(int(p.MaxBytes), left)
	if f.bytes > 0 && most <= 0 {
		f.urgent = true
		return res, nil
	}
	span, err := f.span(log, p.Offset, max(most, 0))
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
	// The marks may have risen since; an answer must not hold records behind its own.
	res = f.marks(log)
	if f.req.ReadCommitted && span.Length > 0 {
		if res.Aborted, err = aborted(log, p.Offset, span, res.LastStable); err != nil {
			span.Release()
			return fetchError(f.readError(topic, p, err)), nil
		}
	}
	return res, span
}

// refuse says why a partition is not read, or none.
func (f *fetchReply) refuse(topic *topics.Topic, p *wire.FetchPartition) int16 {
	switch {
	case topic == nil && f.header.Version >= 13:
		return errUnknownTopicID
	case topic == nil || topic.Partition(p.Index) == nil:
		return errUnknownTopicOrPartition
	}
	if f.header.Version < 10 {
		switch e := topic.Effective(); {
		case e.Recompress && e.Compression == record.Zstd:
			return errUnsupportedCompressionType // as Kafka 3 says it; what producers of zstd wrote elsewhere is not looked into
		case f.header.Version < firstUnconverted && !e.DownConvert:
			return errUnsupportedVersion
		}
	}
	return checkEpoch(topic.Partition(p.Index).Log, p.LeaderEpoch)
}

// marks is an answer without records.
func (f *fetchReply) marks(log *commitlog.Log) wire.FetchResult {
	// In this order: the last stable offset is never above the high watermark that goes with it.
	stable := log.LastStable()
	return wire.FetchResult{HighWatermark: log.HighWatermark(), LastStable: stable, LogStart: log.Start()}
}

// span reads batches of a partition.
func (f *fetchReply) span(log *commitlog.Log, from record.Offset, most int) (*commitlog.Span, error) {
	switch {
	case f.header.Version < firstUnconverted:
		return dataSpan(log, from, most)
	case f.req.ReadCommitted:
		return log.ReadCommitted(from, most)
	}
	return log.Read(from, most)
}

// aborted lists the aborted transactions that have records in a span.
func aborted(log *commitlog.Log, from record.Offset, span *commitlog.Span, stable record.Offset) ([]wire.AbortedTxn, error) {
	to := stable
	if span.More {
		if h, err := headerAt(span, span.Length); err == nil {
			to = min(to, h.BaseOffset)
		}
	}
	txns, err := log.Aborted(min(from, span.Base), to)
	if err == nil && log.Start() > from {
		// Deleted while it was read, and with it perhaps what says that it was aborted.
		err = commitlog.ErrOffsetOutOfRange
	}
	if err != nil || len(txns) == 0 {
		return nil, err
	}
	list := make([]wire.AbortedTxn, len(txns))
	for i, t := range txns {
		list[i] = wire.AbortedTxn{ProducerID: t.ProducerID, First: t.First}
	}
	return list, nil
}

// headerAt reads the header of the batch that begins so many bytes into a span, or right behind it.
func headerAt(span *commitlog.Span, at int) (record.Header, error) {
	var b [record.HeaderSize]byte
	if _, err := span.File.ReadAt(b[:], span.Position+int64(at)); err != nil {
		return record.Header{}, err
	}
	return record.ParseHeader(b[:])
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
	return wire.FetchResult{Error: code, HighWatermark: -1, LastStable: -1, LogStart: -1}
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
