package handle

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/topics"
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

// wait blocks until the answer is ready or its time is over. Every log of the request is watched before it is read
// again, so that no rise of a high watermark is missed.
func (f *fetchReply) wait(ctx context.Context) error {
	left := time.Until(f.until)
	if left <= 0 {
		return nil
	}
	if n := int64(len(f.frame.Bytes)); n > smallBody {
		if f.h.polls.TryAcquire(n) {
			defer f.h.polls.Release(n)
		} else {
			left = min(left, soon)
		}
	}
	f.release() // nothing is held while waiting
	wake := make(chan struct{}, 1)
	notify := func() {
		select {
		case wake <- struct{}{}:
		default: // one wake-up is enough for any number of rises
		}
	}
	for _, log := range f.watched() {
		defer log.Watch(notify)()
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

// watched are the logs that the request waits for, each once: a partition may be named a thousand times.
func (f *fetchReply) watched() []*commitlog.Log {
	logs := make([]*commitlog.Log, 0, len(f.results))
	named := make(map[*commitlog.Log]struct{}, len(f.results))
	for t, topic := range f.topics {
		for i := f.req.Topics[t].First; i < f.req.Topics[t].End; i++ {
			if topic == nil || f.denied[t] {
				continue // answered at once
			}
			p := topic.Partition(f.req.Partitions[i].Index)
			if p == nil {
				continue
			}
			if _, again := named[p.Log]; !again {
				named[p.Log] = struct{}{}
				logs = append(logs, p.Log)
			}
		}
	}
	return logs
}
