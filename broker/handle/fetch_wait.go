package handle

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
)

// A Fetch request that waits keeps its frame, which counts among the requests on their way in when it is large. Those that
// wait take no more than a share of that memory, or nobody could produce; the others are answered soon.
const (
	mostPolls = 64 << 20 // bytes, if a quarter of queued.max.request.bytes is not less
	soon      = 100 * time.Millisecond
)

// pollsRoom is how many bytes of large Fetch requests may wait for as long as they like.
func pollsRoom(t *topics.Topics) int64 {
	if t == nil {
		return mostPolls
	}
	if bytes := t.Settings().Int("queued.max.request.bytes"); bytes >= 0 {
		return min(bytes/4, mostPolls)
	}
	return mostPolls
}

// A request of more logs than manyLogs is not read again at each rise of a watermark, but after a rest of so many times as
// long as the reading took: it would keep a core busy, and its client asked for more than the first bytes.
const (
	manyLogs = 200
	restFor  = 10
	longRest = 20 * time.Millisecond
)

// wait blocks until the answer is ready or its time is over. Every log of the request is watched before it is read
// again, so that no rise of a high watermark is missed.
func (f *fetchReply) wait(ctx context.Context, out *wire.Out) error {
	left := time.Until(f.until)
	if left <= 0 {
		return nil
	}
	if n := int64(f.Size()); n > smallBody {
		if f.h.polls.TryAcquire(n) {
			defer f.h.polls.Release(n)
		} else {
			left = min(left, soon)
		}
	}
	if out.Busy() {
		left = min(left, soon) // the other half of the memory for answers is for those that are on their way
	}
	wake := make(chan struct{}, 1)
	notify := func() {
		select {
		case wake <- struct{}{}:
		default: // one wake-up is enough for any number of rises
		}
	}
	for _, log := range f.logs {
		if log != nil {
			defer log.Watch(notify)()
		}
	}
	return f.watch(ctx, wake, left)
}

// watch reads again at each wake-up.
func (f *fetchReply) watch(ctx context.Context, wake <-chan struct{}, left time.Duration) error {
	timer := time.NewTimer(left)
	defer timer.Stop()
	for {
		began := time.Now()
		if f.ready() {
			return nil
		}
		f.rest() // nothing is held while waiting
		if took := time.Since(began); len(f.logs) > manyLogs {
			if over, err := await(ctx, f, time.After(min(restFor*took, longRest)), timer.C); over {
				return err
			}
		}
		if over, err := await(ctx, f, wake, timer.C); over {
			return err
		}
	}
}

// await waits for more; over says that it is not worth it any more, and whatever there is is ready then.
func await[T any](ctx context.Context, f *fetchReply, more <-chan T, late <-chan time.Time) (over bool, err error) {
	select {
	case <-more:
		return false, nil
	case <-late:
	case <-f.h.draining:
	case <-ctx.Done():
		return true, ctx.Err()
	}
	f.ready()
	return true, nil
}
