package agent

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// budget bounds the bytes of all buffers. Half of it is for what lanes need to go on
// at all (a read buffer, a batch, one sealed batch), so that no lane waits for another
// lane's answers; an eighth is for lanes that find nothing left of that, because lanes
// whose brokers are away keep what they have; the rest is for further batches in flight.
type budget struct {
	work    *semaphore.Weighted
	lanes   atomic.Int32 // those that may ask
	waiting atomic.Int32 // of them, those that wait for their share
	last    *semaphore.Weighted
	extra   *semaphore.Weighted
	most    int64 // of one lane's share of work
}

func newBudget(memory int64) *budget {
	work, last := memory/2, memory/8
	return &budget{work: semaphore.NewWeighted(work), last: semaphore.NewWeighted(last), extra: semaphore.NewWeighted(memory - work - last), most: work}
}

// enter waits for n bytes to work with; leave gives them back.
func (b *budget) enter(ctx context.Context, n int64) (int64, error) {
	n = min(n, b.most) // a single huge batch is let through alone
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	return n, b.work.Acquire(ctx, n)
}

// tryEnter is enter without waiting.
func (b *budget) tryEnter(n int64) bool { return n <= b.most && b.work.TryAcquire(n) }

// tryLast asks for the least that a lane can work with, when there is nothing else.
func (b *budget) tryLast() bool { return b.last.TryAcquire(leastHeld) }

func (b *budget) leaveLast() { b.last.Release(leastHeld) }

// large is how large a buffer a lane reads a backlog into, which counts three times. All
// lanes that there are take half of the budget together, so that those whose brokers are
// away, and who keep what they have, leave something to lanes that come later.
func (b *budget) large() int { return min(b.fair(), readLarge) }

// fair is how large a lane's batch may become, whatever its input allows: a lane whose
// broker is away keeps one batch and its sealed form until the broker is back.
func (b *budget) fair() int {
	share := b.most / 2 / 3 / max(1, int64(b.lanes.Load()))
	return int(max(share&^4095, readSmall))
}

func (b *budget) leave(n int64) { b.work.Release(n) }

// tryMore asks for n bytes more without waiting.
func (b *budget) tryMore(n int64) bool { return b.extra.TryAcquire(n) }

func (b *budget) giveBack(n int64) { b.extra.Release(n) }
