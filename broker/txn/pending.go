package txn

import (
	"context"
	"time"
)

// Pending is a request that has been decided and waits for the disk.
type Pending struct {
	producer Producer
	err      error           // of the decision; said at once when stored is nil, else when that is durable
	stored   chan error      // nil: nothing to wait for
	ended    <-chan struct{} // then this too, for as long as patience; nil: nothing
	patience time.Duration
}

// refused is the answer of a request that changed nothing.
func refused(err error) *Pending { return &Pending{producer: nobody, err: err} }

// Wait returns the producer after the request, when it is durable, or why it is not done. When ctx ends it may be done
// or not.
func (p *Pending) Wait(ctx context.Context) (Producer, error) {
	if p.stored != nil {
		select {
		case err := <-p.stored:
			if err != nil {
				return nobody, err
			}
		case <-ctx.Done():
			return nobody, context.Cause(ctx)
		}
	}
	if p.ended != nil {
		late := time.NewTimer(p.patience)
		defer late.Stop()
		select {
		case <-p.ended:
		case <-late.C:
		case <-ctx.Done(): // the decision stands
		}
	}
	if p.err != nil {
		return nobody, p.err
	}
	return p.producer, nil
}
