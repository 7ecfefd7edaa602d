package broker

import (
	"context"
	"sync/atomic"

	"github.com/loghaul/loghaul/broker/wire"
)

// backlog counts what waits in one connection's queue of answers: who sends requests and reads no answers is not read from
// any more.
type backlog struct {
	out     *wire.Out // counts them among those of all connections too
	bytes   atomic.Int64
	answers atomic.Int64
	sent    chan struct{} // room for one: an answer was sent
}

func newBacklog(out *wire.Out) *backlog {
	return &backlog{out: out, sent: make(chan struct{}, 1)}
}

// add counts an answer in.
func (b *backlog) add(size int) {
	b.out.Hold(int64(size))
	b.bytes.Add(int64(size))
	b.answers.Add(1)
}

// remove counts an answer out that was sent.
func (b *backlog) remove(size int) {
	b.out.Release(int64(size))
	b.bytes.Add(-int64(size))
	b.answers.Add(-1)
	select {
	case b.sent <- struct{}{}:
	default:
	}
}

// wait waits until no more than mostQueued bytes are left. While the answers of all connections hold all the room there is,
// it waits until none of this one's is left: then each holds one, and small ones at that (room.go).
func (b *backlog) wait(ctx context.Context) error {
	return b.until(ctx, func() bool {
		return b.bytes.Load() <= mostQueued && !b.out.Crowded() || b.answers.Load() == 0
	})
}

// drain waits until every answer is sent.
func (b *backlog) drain(ctx context.Context) error {
	return b.until(ctx, func() bool { return b.answers.Load() == 0 })
}

func (b *backlog) until(ctx context.Context, ok func() bool) error {
	for !ok() {
		select {
		case <-b.sent:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
