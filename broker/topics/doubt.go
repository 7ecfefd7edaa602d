package topics

import (
	"context"
	"errors"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/record"
)

// mostDoubts is how many files wait for being checked; who comes to damage then may come again.
const mostDoubts = 64

// doubt is damage that a reader came to.
type doubt struct {
	log    *commitlog.Log
	offset record.Offset
	cause  error
}

// Doubt has a file checked, soon and beside the work, in which a reader came to damage: so that it is known which offsets
// cannot be read, now and at the next start. It does not wait.
func (t *Topics) Doubt(p *Partition, offset record.Offset, cause error) {
	select {
	case t.doubts <- doubt{p.Log, offset, cause}:
	default:
	}
}

// checkDoubts checks them, one after the other, until ctx ends.
func (t *Topics) checkDoubts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-t.doubts:
			err := d.log.CheckAgain(ctx, d.offset, d.cause, (&pace{rate: recheckRate}).wait, t.Damaged)
			if err != nil && ctx.Err() == nil && !errors.Is(err, commitlog.ErrClosed) {
				t.log.Error("checking a file that a reader found damaged", "partition", d.log.Name(), "error", err)
			}
		}
	}
}
