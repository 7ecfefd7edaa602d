package broker

import (
	"context"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/wire"
	"golang.org/x/sync/semaphore"
)

// leastAnswers is the least room for the answers of all connections together, in bytes.
const leastAnswers = 1 << 20

// answerRoom bounds what answers hold in memory, over all connections: those that wait for their clients, in bytes, and
// those that are being made, whose size nobody knows yet, in number. Requests wait, memory does not grow.
type answerRoom struct {
	unsent *wire.Unsent
	making *semaphore.Weighted
}

// newAnswerRoom takes a quarter of what requests may hold.
func newAnswerRoom(requests int) answerRoom {
	return answerRoom{unsent: wire.NewUnsent(int64(max(requests/4, leastAnswers))), making: semaphore.NewWeighted(handle.MostMaking)}
}

// enter waits until there is room for one more large answer in the making, of a weight in handle.MostMaking.
func (r *answerRoom) enter(ctx context.Context, weight int64) (leave func(), err error) {
	for {
		if err := r.unsent.Open(ctx); err != nil {
			return nil, err
		}
		if err := r.making.Acquire(ctx, weight); err != nil {
			return nil, err
		}
		if !r.unsent.Full() {
			return func() { r.making.Release(weight) }, nil
		}
		r.making.Release(weight) // it filled up meanwhile
	}
}

// room waits until a request may be acted on: at once, unless its answer may be large. Then the earlier answers of this
// connection must be sent, and there must be room among those of all. The returned function is called when the answer is
// made and counted.
func (c *connection) room(ctx context.Context, frame *wire.Frame) (made func(), err error) {
	if c.session.Bare() {
		return func() {}, nil
	}
	weight, large := handle.Weigh(frame.Bytes)
	if weight == 0 && !large {
		return func() {}, nil
	}
	if err := c.queued.drain(ctx); err != nil {
		return nil, err
	}
	if weight == 0 { // made one after the other anyway, for their own size
		return func() {}, c.server.answers.unsent.Open(ctx)
	}
	return c.server.answers.enter(ctx, weight)
}
