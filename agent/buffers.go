package agent

import (
	"context"
	"sync"
	"time"
)

const (
	napAfter  = 2 * time.Second // how long a lane keeps its buffers without using them
	readSmall = 32 << 10        // what a lane reads into while little comes
	readLarge = 256 << 10       // and while there is a backlog
	sealed    = 256 << 10       // what a further batch in flight counts for
	leastHeld = 3 * readSmall   // what a lane needs to go on at all
	sealedMax = 5               // free sealed buffers that are kept
)

// buffers are what one lane reads into and seals batches in. Its goroutine uses them;
// sealed ones come back through put from others.
type buffers struct {
	budget *budget
	read   []byte // nil while the lane rests
	held   int64  // of the budget
	last   bool   // held is of what is left for those who find nothing else
	used   time.Time

	mu struct {
		sync.Mutex
		free  [][]byte // sealed buffers that are not in flight
		out   int      // in flight
		extra int      // of them, beyond the one that held covers
	}
}

// enter makes sure that the lane may work: n bytes to read into, or least when there is
// no more to be had at once, and as much for a batch and for its sealed form.
func (b *buffers) enter(ctx context.Context, n, least int) error {
	held := 3 * int64(n)
	if len(b.read) >= n || len(b.read) >= least && !b.budget.tryEnter(held) {
		return nil
	}
	if len(b.read) < least {
		b.leave()
		if !b.budget.tryEnter(held) {
			if least <= readSmall && b.budget.tryLast() {
				b.held, b.last, b.read, b.used = leastHeld, true, make([]byte, readSmall), time.Now()
				return nil
			}
			var err error
			if held, err = b.budget.enter(ctx, held); err != nil {
				return err
			}
		}
	} else {
		b.leave()
	}
	b.held, b.read, b.used = held, make([]byte, n), time.Now()
	return nil
}

func (b *buffers) leave() {
	if b.last {
		b.budget.leaveLast()
	} else {
		b.budget.leave(b.held)
	}
	b.held, b.last, b.read = 0, false, nil
}

// idle says whether the lane should give its buffers back: it does not need them, or
// another one waits.
func (b *buffers) idle(now time.Time) bool {
	return now.Sub(b.used) >= napAfter || b.budget.waiting.Load() > 0
}

// release gives everything back that is not in flight.
func (b *buffers) release() {
	b.leave()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.free = nil
}

// take is a buffer for a sealed batch, empty, which may have to grow. The first is
// always to be had, further ones while the budget has room.
func (b *buffers) take() (buf []byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.out > 0 {
		if !b.budget.tryMore(sealed) {
			return nil, false
		}
		b.mu.extra++
	}
	b.mu.out++
	if n := len(b.mu.free); n > 0 {
		buf = b.mu.free[n-1][:0]
		b.mu.free = b.mu.free[:n-1]
	}
	return buf, true
}

// put gives a sealed buffer back.
func (b *buffers) put(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.out--
	if b.mu.extra > 0 {
		b.mu.extra--
		b.budget.giveBack(sealed)
	}
	if len(b.mu.free) < sealedMax {
		b.mu.free = append(b.mu.free, buf)
	}
}
