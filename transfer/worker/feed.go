package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// chunk is what one answer held for one partition: whole batches, one behind the other. Its bytes count against the
// fetched share until release.
type chunk struct {
	from    record.Offset // that was asked for: the first batch may begin before it
	data    []byte
	aborted []aborted
	fetched *share
}

func (c *chunk) release() {
	c.fetched.release(int64(len(c.data)))
	c.data = nil
}

// feed is one partition's way in: the fetcher fills it, the partition's decoder empties it. At most one chunk waits
// while the one before is decoded.
type feed struct {
	topic     string
	partition int32

	mu struct {
		sync.Mutex
		next   record.Offset // where the next fetch begins
		epoch  int           // raised by seek: an answer to an older question is dropped
		queue  []*chunk
		high   record.Offset // high watermark, -1: not known
		want   int           // bytes the first batch needs when it did not fit
		closed bool
		bad    error // what stands at next cannot be taken
		lost   int64 // records that retention took before they were read
		// trouble is why nothing comes, nil when all is well.
		trouble error
		home    *leader   // nil: its leader is being looked for
		attempt int       // failed tries in a row
		due     time.Time // when to look for the leader again
	}
	ready chan struct{} // holds a token when the queue has something; capacity 1
}

// maxQueue is how many chunks may wait in a feed.
const maxQueue = 1

// wants says whether the feed can take another chunk, and from where.
func (f *feed) wants() (next record.Offset, epoch, want int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.next, f.mu.epoch, f.mu.want, !f.mu.closed && f.mu.bad == nil && len(f.mu.queue) < maxQueue
}

// take waits for a chunk until ctx ends or wake fires, whose firing gives no chunk and no error. A batch that cannot
// be taken is an error; seek makes the feed try again.
func (f *feed) take(ctx context.Context, wake <-chan time.Time, stop <-chan struct{}) (*chunk, error) {
	for {
		f.mu.Lock()
		if len(f.mu.queue) > 0 {
			c := f.mu.queue[0]
			f.mu.queue = f.mu.queue[1:]
			home := f.mu.home
			f.mu.Unlock()
			if home != nil {
				home.nudge()
			}
			return c, nil
		}
		bad := f.mu.bad
		f.mu.Unlock()
		if bad != nil {
			return nil, bad
		}
		select {
		case <-f.ready:
		case <-wake:
			return nil, nil
		case <-stop:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// seek drops what waits and goes on from offset.
func (f *feed) seek(offset record.Offset) {
	f.mu.Lock()
	queue, home := f.mu.queue, f.mu.home
	f.mu.queue, f.mu.next = nil, offset
	if !errors.Is(f.mu.bad, errBehindEnd) { // what has grown past the end since is not what was stored: it stays
		f.mu.bad = nil
	}
	f.mu.epoch++
	f.mu.Unlock()
	for _, c := range queue {
		c.release()
	}
	if home != nil {
		home.nudge()
	}
}

// fill gives the feed what an answer held. next is where the following fetch begins; bad is what stands there when it
// cannot be taken. It says whether the chunk was taken.
func (f *feed) fill(epoch int, c *chunk, next, high record.Offset, bad error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed || f.mu.epoch != epoch {
		return false
	}
	f.mu.high, f.mu.trouble, f.mu.attempt = high, nil, 0
	f.mu.next, f.mu.bad, f.mu.want = next, bad, 0
	if c != nil {
		f.mu.queue = append(f.mu.queue, c)
	}
	if c != nil || bad != nil {
		f.signal()
	}
	return true
}

// signal wakes take; f.mu is held.
func (f *feed) signal() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// needs notes that the first batch did not fit into what was reserved.
func (f *feed) needs(epoch, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.epoch == epoch {
		f.mu.want = bytes
	}
}

// fail notes that the batch at next cannot be taken.
func (f *feed) fail(epoch int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.epoch == epoch {
		f.mu.bad = err
		f.signal()
	}
}

// troubled notes why nothing comes.
func (f *feed) troubled(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.trouble = err
}

// skip goes on from offset because retention took what was at next; lost counts the records in between.
func (f *feed) skip(epoch int, offset record.Offset, lost int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.epoch == epoch {
		f.mu.next = offset
		f.mu.lost += lost
	}
}

// look is what status shows: the high watermark, the records lost to retention, and why nothing comes.
func (f *feed) look() (high record.Offset, lost int64, trouble error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.high, f.mu.lost, f.mu.trouble
}

// move sets the leader that fetches for the feed; it says no when the feed was closed meanwhile.
func (f *feed) move(home *leader) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed {
		return false
	}
	f.mu.home = home
	return true
}

// close ends the feed and lets go of what waits.
func (f *feed) close() {
	f.mu.Lock()
	f.mu.closed = true
	queue, home := f.mu.queue, f.mu.home
	f.mu.queue, f.mu.home = nil, nil
	f.mu.Unlock()
	for _, c := range queue {
		c.release()
	}
	if home != nil {
		home.leave(f)
	}
}

func (f *feed) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.closed
}

// backOff puts the next look for a leader off, longer each time.
func (f *feed) backOff() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.due = time.Now().Add(min(firstRetry<<min(f.mu.attempt, 10), lastRetry))
	f.mu.attempt++
}

// untilDue is how long to wait before the leader is looked for.
func (f *feed) untilDue() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Until(f.mu.due)
}
