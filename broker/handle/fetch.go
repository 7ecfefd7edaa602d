package handle

import (
	"context"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
)

// Fetch (key 1): read record batches.
//
// Versions 0 to 16. The batches go out as they lie in their segments, with sendfile on plain TCP. The answer is given
// when MinBytes are there, when there is more than it may hold, when MaxWait is over, or when a partition has an error;
// the first batch is sent whole even if it is larger than asked for (KIP-74), others only as far as they fit. Nothing
// behind the high watermark is read, which is what is on the disk; readers of committed records stop at the last stable
// offset, and are told which transactions in what they get were aborted. A partition that is named again counts as its last
// naming says, in the place of the first, and is answered once.
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
	f.h, f.frame, f.header, f.peer = h, frame, header, peer
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

	topics []*topics.Topic  // by topic of the request, nil when unknown
	denied []bool           // by topic of the request: the client may not read it
	logs   []*commitlog.Log // by partition of the request, nil when unknown or denied
	work   *fetchWork       // the answer in the making; nil while the request waits
	bytes  int              // of records in results
	urgent bool             // a partition has an error, or more than fits: answer at once
}

// fetchWork is an answer in the making. A request that waits has none, so that thousands of them hold little.
type fetchWork struct {
	results []wire.FetchResult // by partition of the request
	records []int              // by partition, how many there are in it, by their offsets
	spans   []*commitlog.Span
	ranges  []wire.Range
	head    wire.FetchHead
	old     [][]byte               // by partition, what versions 0 to 3 get in place of spans
	named   map[*commitlog.Log]int // where in the request a log is named
}

// Drop gives everything back.
func (f *fetchReply) Drop() {
	f.rest()
	f.frame.Release()
	clear(f.topics)
	clear(f.logs)
	f.h, f.frame = nil, nil
	fetchReplies.put(f)
}

// Size is what the request holds while it waits: the answer is made when its turn has come.
func (f *fetchReply) Size() int { return len(f.frame.Bytes) + fetchState*len(f.req.Partitions) }

// fetchState is how many bytes a partition takes in a request that waits, beside its frame: what it asks for, its log, and
// its place among those that watch that.
const fetchState = 100

// rest gives back what only an answer in the making needs, files above all.
func (f *fetchReply) rest() {
	w := f.work
	if w == nil {
		return
	}
	f.release()
	clear(w.old)
	clear(w.results)
	clear(w.ranges)
	clear(w.named)
	f.work = nil
	fetchWorks.put(w)
}

// release gives the files back.
func (f *fetchReply) release() {
	w := f.work
	for _, s := range w.spans {
		s.Release()
	}
	clear(w.spans)
	w.spans = w.spans[:0]
}

// Send waits for enough records, or long enough, and writes the answer.
func (f *fetchReply) Send(ctx context.Context, out *wire.Out) error {
	defer f.Drop()
	var code int16
	if f.req.SessionID != 0 && f.req.SessionEpoch > 0 {
		code = errFetchSessionNotFound // it cannot be ours; the client then goes on without
		f.begin()
	} else if f.find(); !f.ready() {
		if err := f.wait(ctx, out); err != nil {
			return err
		}
	}
	if f.header.Version < firstUnconverted && code == errNone {
		done, err := f.convert(ctx, out)
		if err != nil {
			return err
		}
		defer done()
	}
	w := f.work
	w.head.B = wire.AppendResponseHeader(w.head.B[:0], f.header.Correlation, f.header.Version >= find(keyFetch).flexible)
	w.head.Throttle = f.h.charge(f.peer, f.header.ClientID, quota.Fetch, f.bytes)
	wire.AppendFetchResponse(&w.head, &f.req, w.results, code, f.header.Version)
	wire.SetLength(w.head.B, f.bytes)
	if code != 0 || f.bytes == 0 {
		return out.Write(w.head.B)
	}
	var err error
	if f.header.Version < firstUnconverted {
		err = out.WriteParts(&w.head, w.old)
	} else {
		err = out.WriteFetch(&w.head, w.ranges)
	}
	if err == nil {
		f.meter()
	}
	return err
}

// begin starts the answer, or starts it anew.
func (f *fetchReply) begin() *fetchWork {
	if f.work == nil {
		if f.work = fetchWorks.get(); f.work.named == nil {
			f.work.named = map[*commitlog.Log]int{}
		}
	}
	f.release()
	w := f.work
	w.results, w.records, w.ranges = w.results[:0], w.records[:0], w.ranges[:0]
	f.bytes, f.urgent = 0, false
	return w
}

// find looks the topics and logs up, once for a request.
func (f *fetchReply) find() {
	f.topics, f.denied, f.logs = f.topics[:0], f.denied[:0], f.logs[:0]
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
		for i := t.First; i < t.End; i++ {
			var log *commitlog.Log
			if topic != nil && !denied {
				if p := topic.Partition(f.req.Partitions[i].Index); p != nil {
					log = p.Log
				}
			}
			f.logs = append(f.logs, log)
		}
	}
	f.once()
}

// ready reads what is there and says whether it is enough for an answer.
func (f *fetchReply) ready() bool {
	w := f.begin()
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
				res, span = f.read(topic, i, limit-f.bytes)
			}
			var r wire.Range
			n := 0
			if span != nil && span.Length > 0 { // spans are those of results with a length, in their order
				res.Length = span.Length
				f.bytes += span.Length
				w.spans = append(w.spans, span)
				r = wire.Range{File: span.File, Position: span.Position, Length: span.Length}
				n = int(span.Next - max(span.Base, f.req.Partitions[i].Offset))
			}
			f.urgent = f.urgent || res.Error != errNone && res.Error != errCorruptMessage
			w.results, w.ranges, w.records = append(w.results, res), append(w.ranges, r), append(w.records, n)
		}
	}
	return f.urgent || f.bytes >= int(f.req.MinBytes) || len(w.results) == 0
}

// meter counts what was sent.
func (f *fetchReply) meter() {
	for t, topic := range f.topics {
		records, bytes := 0, 0
		for i := f.req.Topics[t].First; i < f.req.Topics[t].End; i++ {
			if n := f.work.results[i].Length; n > 0 {
				records, bytes = records+f.work.records[i], bytes+n
			}
		}
		if bytes > 0 {
			f.h.cfg.Meter.Sent(topic.Name, records, bytes)
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
	fetchWorks      freelist[fetchWork]
	produceRequests freelist[wire.ProduceRequest]
)
