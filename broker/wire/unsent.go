package wire

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnsent says that a connection was cut off because the answers of all connections together hold too much memory
// and its client had taken nothing for longest.
var ErrUnsent = errors.New("closed while it took its answers slowly: the memory for answers (a quarter of queued.max.request.bytes) was used up")

// Unsent bounds the bytes of answers that wait, over all connections, until their clients take them. Who finds no room
// waits. When there has been none for a while, the client that has taken nothing for longest, though there is something
// for it on the wire, is cut off: so no set of slow readers holds up the others.
type Unsent struct {
	most     int64
	patience time.Duration
	held     atomic.Int64
	waiting  atomic.Int32 // who must be woken when bytes come back
	mu       struct {
		sync.Mutex
		outs     map[*Out]struct{}
		released chan struct{} // closed, and made anew, when bytes come back
		evicted  time.Time     // when the last one was cut off
	}
}

// NewUnsent makes room for so many bytes.
func NewUnsent(bytes int64) *Unsent {
	u := &Unsent{most: bytes, patience: patience}
	u.mu.outs = map[*Out]struct{}{}
	u.mu.released = make(chan struct{})
	return u
}

// Held is how many bytes wait now, and how many should at most. Small answers are counted and never wait, so the first
// may exceed the second a little.
func (u *Unsent) Held() (held, most int64) { return u.held.Load(), u.most }

// Full says whether answers hold all of the room.
func (u *Unsent) Full() bool { return u.held.Load() >= u.most }

// Open waits until there is room for another answer, whose size is not known yet.
func (u *Unsent) Open(ctx context.Context) error {
	return u.wait(ctx, func() bool { return !u.Full() })
}

// take counts n bytes that o's connection holds, if there is room for them.
func (u *Unsent) take(o *Out, n int64) bool {
	for {
		held := u.held.Load()
		if held+n > u.most {
			return false
		}
		if u.held.CompareAndSwap(held, held+n) {
			o.held.Add(n)
			return true
		}
	}
}

// wait returns nil once ok says so. It is asked again whenever bytes come back.
func (u *Unsent) wait(ctx context.Context, ok func() bool) error {
	if ok() {
		return nil
	}
	u.waiting.Add(1)
	defer u.waiting.Add(-1)
	timer := time.NewTimer(u.patience)
	defer timer.Stop()
	for {
		u.mu.Lock()
		released := u.mu.released
		u.mu.Unlock()
		if ok() { // after waiting and released are set, or a release between would go unheard
			return nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			u.evict()
			timer.Reset(u.patience / evictEach)
		}
	}
}

// released wakes who waits for room.
func (u *Unsent) released() {
	if u.waiting.Load() == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.mu.released)
	u.mu.released = make(chan struct{})
}

// evictEach is how many connections are cut off within patience: one after the other, as what the last one held may be
// enough.
const evictEach = 8

// evict cuts off the connection whose client has taken nothing for longest, if that is longer than patience.
func (u *Unsent) evict() {
	u.mu.Lock()
	if time.Since(u.mu.evicted) < u.patience/evictEach {
		u.mu.Unlock()
		return // its room may still be on its way
	}
	var slowest *Out
	for o := range u.mu.outs {
		since := o.since.Load()
		if since != 0 && o.held.Load() > 0 && !o.given.Load() && (slowest == nil || since < slowest.since.Load()) {
			slowest = o
		}
	}
	u.mu.Unlock()
	if slowest == nil {
		return
	}
	if since := slowest.since.Load(); since != 0 && time.Now().UnixNano()-since >= int64(u.patience) {
		slowest.given.Store(true)
		u.mu.Lock()
		u.mu.evicted = time.Now()
		u.mu.Unlock()
		_ = slowest.conn.Close()
	}
}

// Share makes o's connection one of those that u bounds, until leave is called.
func (o *Out) Share(u *Unsent) (leave func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	o.unsent = u
	u.mu.outs[o] = struct{}{}
	return func() {
		o.Release(o.held.Load())
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.mu.outs, o)
	}
}

// Hold counts n bytes of an answer that are there already.
func (o *Out) Hold(n int64) {
	if o.unsent != nil && n > 0 {
		o.held.Add(n)
		o.unsent.held.Add(n)
	}
}

// Reserve waits for room for n bytes of an answer that is to be made, and counts them; of more than half of all the room,
// only as many and one: two such never fit, and requests that wait for records may hold nearly the other half for long.
func (o *Out) Reserve(ctx context.Context, n int64) (counted int64, err error) {
	if o.unsent == nil || n <= 0 {
		return 0, nil
	}
	n = min(n, o.unsent.most/2+1)
	return n, o.unsent.wait(ctx, func() bool { return o.unsent.take(o, n) })
}

// Release says that n of those bytes are sent, or not needed.
func (o *Out) Release(n int64) {
	if o.unsent != nil && n > 0 {
		o.held.Add(-n)
		o.unsent.held.Add(-n)
		o.unsent.released()
	}
}

// Given says whether the connection was cut off because others needed its room.
func (o *Out) Given() bool { return o.given.Load() }

// Busy says whether answers hold half of the room there is for them.
func (o *Out) Busy() bool { return o.unsent != nil && o.unsent.held.Load() >= o.unsent.most/2 }

// Crowded says whether answers hold all the room there is for them.
func (o *Out) Crowded() bool { return o.unsent != nil && o.unsent.Full() }
