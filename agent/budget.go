package agent

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// budget bounds the bytes of all buffers. Half of it is for what lanes need to go on
// at all (a read buffer, a batch, one sealed batch), so that no lane waits for another
// lane's answers; the other half is for further batches in flight.
type budget struct {
	work    *semaphore.Weighted
	waiting atomic.Int32 // lanes that wait for their share
	extra   *semaphore.Weighted
	most    int64 // of one lane's share of work
}

func newBudget(memory int64) *budget {
	return &budget{work: semaphore.NewWeighted(memory / 2), extra: semaphore.NewWeighted(memory - memory/2), most: memory / 2}
}

// enter waits for n bytes to work with; leave gives them back.
func (b *budget) enter(ctx context.Context, n int64) (int64, error) {
	n = min(n, b.most) // a single huge batch is let through alone
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	return n, b.work.Acquire(ctx, n)
}

func (b *budget) leave(n int64) { b.work.Release(n) }

// tryMore asks for n bytes more without waiting.
func (b *budget) tryMore(n int64) bool { return b.extra.TryAcquire(n) }

func (b *budget) giveBack(n int64) { b.extra.Release(n) }
