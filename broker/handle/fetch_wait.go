package handle

import (
	"context"
	"time"
)

// wait blocks until the answer is ready or its time is over. Every log of the request is watched before it is read
// again, so that no rise of a high watermark is missed.
func (f *fetchReply) wait(ctx context.Context) error {
	left := time.Until(f.until)
	if left <= 0 {
		return nil
	}
	f.release() // nothing is held while waiting
	wake := make(chan struct{}, 1)
	notify := func() {
		select {
		case wake <- struct{}{}:
		default: // one wake-up is enough for any number of rises
		}
	}
	for t, topic := range f.topics {
		for i := f.req.Topics[t].First; i < f.req.Topics[t].End; i++ {
			if p := topic.Partition(f.req.Partitions[i].Index); p != nil {
				defer p.Log.Watch(notify)()
			}
		}
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for !f.ready() {
		f.release()
		select {
		case <-wake:
		case <-timer.C:
			f.ready() // whatever there is
			return nil
		case <-f.h.draining:
			f.ready()
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
