package worker

import (
	"context"
	"sync"
	"unsafe"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// What a batch that is being gathered takes from the decoded share at a time.
const (
	firstBlock = 16 << 10
	block      = 256 << 10
	recordSize = int64(unsafe.Sizeof(sink.Record{}))
	headerSize = int64(unsafe.Sizeof(record.KV{}))
)

var (
	blocks  = sync.Pool{New: func() any { b := make([]byte, 0, block); return &b }}
	structs sync.Pool // of *[]sink.Record, used before
)

// arena holds the bytes of one sink batch: blocks, the records' structs and their headers. Everything in it counts
// against the decoded share until release.
type arena struct {
	decoded *share
	held    int64 // bytes taken from the share
	cur     []byte
	pooled  []*[]byte
	headers []record.KV
	records []sink.Record
}

// room makes sure that a record with n bytes and some headers can be added. It takes only what is free: no means
// that the batch should be handed on first, or, when the batch is empty, that must has to be called.
func (a *arena) room(n, headers int) bool {
	need, grow := a.need(n, headers)
	if need == 0 {
		return true
	}
	if !a.decoded.try(need) {
		return false
	}
	a.held += need
	grow()
	return true
}

// must waits for room. Only an empty arena may wait: one that holds something could keep others waiting in a circle.
func (a *arena) must(ctx context.Context, n, headers int) error {
	need, grow := a.need(n, headers)
	if need == 0 {
		return nil
	}
	if err := a.decoded.acquire(ctx, need); err != nil {
		return err
	}
	a.held += need
	grow()
	return nil
}

// need is how many more bytes of the share a record takes, and what to do once they are ours.
func (a *arena) need(n, headers int) (need int64, grow func()) {
	size := 0
	if n > cap(a.cur)-len(a.cur) {
		if size = block; a.cur == nil && n <= firstBlock {
			size = firstBlock
		}
		size = max(size, n)
		need += int64(size)
	}
	more := 0
	if len(a.records) == cap(a.records) {
		more = max(256, cap(a.records)) // the double of before: what is left behind is paid for until release
		need += int64(more+len(a.records)) * recordSize
	}
	kvs := 0
	if headers > cap(a.headers)-len(a.headers) {
		kvs = max(64, headers, min(2*cap(a.headers), 4096))
		need += int64(kvs) * headerSize
	}
	if need == 0 {
		return 0, nil
	}
	return need, func() {
		if size > 0 {
			a.cur = a.block(size)
		}
		if more > 0 {
			a.records = append(newStructs(len(a.records)+more), a.records...)
		}
		if kvs > 0 {
			a.headers = make([]record.KV, 0, kvs) // records keep the ones before
		}
	}
}

// newStructs is room for n records, from before if there is enough.
func newStructs(n int) []sink.Record {
	if p, ok := structs.Get().(*[]sink.Record); ok && cap(*p) >= n {
		return (*p)[:0:n] // no more than is paid for
	}
	return make([]sink.Record, 0, n)
}

func (a *arena) block(size int) []byte {
	if size != block {
		return make([]byte, 0, size)
	}
	p := blocks.Get().(*[]byte)
	a.pooled = append(a.pooled, p)
	return (*p)[:0]
}

// add copies what the sink needs of a record into the arena; room or must has said yes.
func (a *arena) add(r *record.Record, needs sink.Needs) {
	out := sink.Record{Offset: r.Offset, Time: r.Timestamp, Value: a.bytes(r.Value)}
	if needs.Key {
		out.Key = a.bytes(r.Key)
	}
	if needs.Headers && len(r.Headers) > 0 {
		at := len(a.headers)
		for _, h := range r.Headers {
			a.headers = append(a.headers, record.KV{Key: a.bytes(h.Key), Value: a.bytes(h.Value)})
		}
		out.Headers = a.headers[at:len(a.headers):len(a.headers)]
	}
	a.records = append(a.records, out)
}

func (a *arena) bytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	at := len(a.cur)
	a.cur = append(a.cur, b...)
	return a.cur[at:len(a.cur):len(a.cur)]
}

// release gives everything back; nobody may use the records afterwards.
func (a *arena) release() {
	for _, p := range a.pooled {
		blocks.Put(p)
	}
	if cap(a.records) > 0 {
		r := a.records[:0]
		structs.Put(&r)
	}
	a.decoded.release(a.held)
	*a = arena{decoded: a.decoded}
}

// weigh is how many bytes of a block a record takes, and how many headers.
func weigh(r *record.Record, needs sink.Needs) (bytes, headers int) {
	bytes = len(r.Value)
	if needs.Key {
		bytes += len(r.Key)
	}
	if !needs.Headers {
		return bytes, 0
	}
	for _, h := range r.Headers {
		bytes += len(h.Key) + len(h.Value)
	}
	return bytes, len(r.Headers)
}
