package broker

import (
	"context"
	"sync/atomic"
)

// backlog counts the bytes of the answers that wait in one connection's queue: who sends requests and reads no answers is
// not read from any more.
type backlog struct {
	bytes atomic.Int64
	lower chan struct{} // room for one: it was lowered from above mostQueued
}

// add counts an answer in.
func (b *backlog) add(size int) { b.bytes.Add(int64(size)) }

// remove counts an answer out that was sent.
func (b *backlog) remove(size int) {
	if left := b.bytes.Add(-int64(size)); left <= mostQueued && left+int64(size) > mostQueued {
		select {
		case b.lower <- struct{}{}:
		default:
		}
	}
}

// wait waits until no more than mostQueued bytes are left.
func (b *backlog) wait(ctx context.Context) error {
	for b.bytes.Load() > mostQueued {
		select {
		case <-b.lower:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
