package worker

import (
	"errors"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
)

// ErrOverBudget says that one batch or record needs more memory than a route may hold.
var ErrOverBudget = errors.New("it needs more memory than the route may use")

const (
	// decoders is how many batches are taken apart at once, each in its fraction of the decompress share.
	decoders = 4
	// leastShare is what every route may hold fetched, and the same decoded, however many routes there are.
	leastShare = 2 << 20
)

// Budget bounds the bytes that all workers of a transfer hold together. A half is for what is fetched, a quarter for
// what is decoded, and these two are divided among the routes, so that one whose sink hangs does not starve the
// others. The last quarter is for decompressing; nobody keeps it while waiting for anything else.
type Budget struct {
	total      int64
	decompress *share
	readers    chan *record.Reader

	mu struct {
		sync.Mutex
		portions []*Portion
	}
}

// Portion is what one route may hold.
type Portion struct {
	budget  *Budget
	fetched *share // answers of brokers, as they lie in the topic
	decoded *share // records on their way into the sink
}

// NewBudget makes a Budget of total bytes.
func NewBudget(total int64) *Budget {
	return &Budget{total: total, decompress: newShare(total / 4), readers: make(chan *record.Reader, decoders)}
}

// Join makes a portion for one more route; all portions are divided anew.
func (b *Budget) Join() *Portion {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := &Portion{budget: b, fetched: newShare(0), decoded: newShare(0)}
	b.mu.portions = append(b.mu.portions, p)
	b.divide()
	return p
}

// Leave gives a portion back.
func (b *Budget) Leave(p *Portion) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.mu.portions {
		if other == p {
			b.mu.portions = append(b.mu.portions[:i:i], b.mu.portions[i+1:]...)
			break
		}
	}
	b.divide()
}

// divide gives every portion the same; b.mu is held.
func (b *Budget) divide() {
	n := int64(max(1, len(b.mu.portions)))
	for _, p := range b.mu.portions {
		p.fetched.resize(max(b.total/2/n, leastShare))
		p.decoded.resize(max(b.total/4/n, leastShare))
	}
}

// Used is how many bytes all routes hold now.
func (b *Budget) Used() int64 {
	used := b.decompress.inUse()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.mu.portions {
		used += p.fetched.inUse() + p.decoded.inUse()
	}
	return used
}

// reader is one that is free, or a new one. Its buffers belong to the part of the decompress share that the caller
// holds.
func (b *Budget) reader(limit int64) *record.Reader {
	if limit == b.decompress.limit()/decoders {
		select {
		case r := <-b.readers:
			return r
		default:
		}
	}
	return new(record.Reader)
}

// putReader takes a reader back; one that had the whole share may be too large to keep.
func (b *Budget) putReader(r *record.Reader, limit int64) {
	if limit == b.decompress.limit()/decoders {
		select {
		case b.readers <- r:
		default:
		}
	}
}
