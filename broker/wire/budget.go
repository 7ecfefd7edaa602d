package wire

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long the budget stays exhausted before the frame that has stood still for longest is given up.
	patience = 2 * time.Second
	// stride is how many bytes must arrive for a frame to have moved: who sends a byte now and then stands still.
	stride = 16 << 10
)

// ErrBudget says that a frame was given up because the frames of all connections together hold too much memory
// and this one had stood still for longest.
var ErrBudget = errors.New("closed while it sent a large request slowly: the memory for requests (queued.max.request.bytes) was used up")

// Budget bounds the bytes that the frames of all connections hold together. Frames up to 16 KiB do not count.
type Budget struct {
	patience time.Duration
	most     int
	mu       struct {
		sync.Mutex
		free     int
		readers  map[*claim]struct{} // frames on their way in
		released chan struct{}       // closed, and made anew, when bytes come back
	}
}

// NewBudget makes a budget of so many bytes, raised to what the largest frame needs while its buffer grows.
func NewBudget(bytes, largestFrame int) *Budget {
	b := &Budget{patience: patience, most: max(bytes, largestFrame*5/2, 8*smallFrame)}
	b.mu.free = b.most
	b.mu.readers = make(map[*claim]struct{})
	b.mu.released = make(chan struct{})
	return b
}

// Held is how many bytes the frames hold now, and how many they may hold at most.
func (b *Budget) Held() (held, most int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.most - b.mu.free), int64(b.most)
}

// claim is what one frame holds of the budget.
type claim struct {
	budget  *Budget
	held    int          // guarded by budget.mu
	touched atomic.Int64 // when it last moved on by a stride, nanoseconds since 1970
	strode  int          // bytes since then; for the reading goroutine
	abort   func()       // ends the connection
	given   atomic.Bool  // given up
}

// touch says that n more bytes arrived.
func (c *claim) touch(n int) {
	if c.strode += n; c.strode >= stride {
		c.strode = 0
		c.touched.Store(time.Now().UnixNano())
	}
}

// grow takes n more bytes and waits for them. While it waits for long it gives up the frame that has stood still
// for longest, this one included, so that no set of slow or stopped senders can hold up the others.
func (c *claim) grow(ctx context.Context, n int) error {
	timer := time.NewTimer(c.budget.patience)
	defer timer.Stop()
	for {
		released := c.take(n)
		if released == nil {
			return nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			if c.budget.evict(); c.given.Load() {
				return ErrBudget
			}
			timer.Reset(c.budget.patience)
		}
	}
}

// take returns nil if it took n bytes, else a channel that is closed when bytes come back.
func (c *claim) take(n int) chan struct{} {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.readers[c] = struct{}{}
	if b.mu.free < n {
		return b.mu.released
	}
	b.mu.free -= n
	c.held += n
	return nil
}

// arrived takes the frame out of those that may be given up: it is whole and will be answered.
func (c *claim) arrived() {
	c.budget.mu.Lock()
	delete(c.budget.mu.readers, c)
	c.budget.mu.Unlock()
}

// shrink gives n bytes back; all of them when n is negative.
func (c *claim) shrink(n int) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if n < 0 {
		n = c.held
		delete(b.mu.readers, c)
	}
	if n == 0 {
		return
	}
	c.held -= n
	b.mu.free += n
	close(b.mu.released)
	b.mu.released = make(chan struct{})
}

// evict gives up the frame that has stood still for longest, if that is longer than patience.
func (b *Budget) evict() {
	b.mu.Lock()
	var oldest *claim
	for c := range b.mu.readers {
		if c.held > 0 && !c.given.Load() && (oldest == nil || c.touched.Load() < oldest.touched.Load()) {
			oldest = c
		}
	}
	b.mu.Unlock()
	if oldest != nil && time.Now().UnixNano()-oldest.touched.Load() >= int64(b.patience) {
		oldest.given.Store(true)
		oldest.abort()
	}
}
