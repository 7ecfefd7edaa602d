package worker

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// leastAsk is what a quiet connection reserves for its next answer; it doubles while answers are full.
	leastAsk = 128 << 10
	// shortWait bounds the long poll while a partition of this leader is busy or new: it must not wait behind the
	// quiet ones once it can take something.
	shortWait = 50 * time.Millisecond
	// freshPolls is how many polls a new partition keeps short.
	freshPolls = 5
)

// leader reads the partitions that one broker leads, over one connection, one request at a time.
type leader struct {
	f    *Fetcher
	addr string
	wake chan struct{} // holds a token when a feed came or can take something; capacity 1

	mu struct {
		sync.Mutex
		feeds []*feed
		fresh int  // short polls to come
		ended bool // no feed may join any more
	}
	// run alone uses these.
	ask  int64 // bytes to reserve for the next answer
	turn int   // which feed comes first, so that each gets its share of a full answer
}

func newLeader(f *Fetcher, addr string) *leader {
	return &leader{f: f, addr: addr, wake: make(chan struct{}, 1), ask: leastAsk}
}

// join adds a feed; no when the leader has ended meanwhile.
func (l *leader) join(d *feed) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.ended {
		return false
	}
	if d.move(l) {
		l.mu.feeds = append(l.mu.feeds, d)
		l.mu.fresh = freshPolls
		l.nudge()
	}
	return true
}

// leave takes a feed out.
func (l *leader) leave(d *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.mu.feeds {
		if other == d {
			l.mu.feeds = append(l.mu.feeds[:i:i], l.mu.feeds[i+1:]...)
			break
		}
	}
	l.nudge()
}

func (l *leader) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run reads until ctx ends, the connection fails or no feed is left. The feeds it had then look for a leader again.
func (l *leader) run(ctx context.Context) {
	conn, err := l.f.cfg.Cluster.Dial(ctx, l.addr)
	if err == nil {
		err = l.poll(ctx, conn)
		conn.Close()
	}
	l.mu.Lock()
	feeds := l.mu.feeds
	l.mu.ended, l.mu.feeds = true, nil
	l.mu.Unlock()
	for _, d := range feeds {
		d.troubled(err)
		d.backOff()
		d.move(nil)
		l.f.cfg.Cluster.Forget(d.topic, d.partition)
	}
	l.f.rehome(feeds...)
}

// poll asks and hands out answers, one after the other.
func (l *leader) poll(ctx context.Context, conn *kafka.Conn) error {
	for {
		r, err := l.next(ctx)
		if err != nil || r == nil {
			return err
		}
		if err := l.f.cfg.Portion.fetched.acquire(ctx, r.reserved); err != nil {
			return err
		}
		err = r.exchange(ctx, conn)
		l.f.cfg.Portion.fetched.release(r.reserved) // what the chunks did not take
		if err != nil {
			return fmt.Errorf("fetching from the broker at %s: %w", l.addr, err)
		}
		l.adapt(r)
		for _, c := range r.refused {
			if err := l.refused(ctx, conn, c); err != nil {
				return err
			}
		}
	}
}

// next waits until a feed can take something and makes the request for all that can. Nil: no feed is left.
func (l *leader) next(ctx context.Context) (*request, error) {
	for {
		r, left := l.request()
		if left == 0 {
			return nil, nil
		}
		if len(r.asks) > 0 {
			return r, nil
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// request gathers the feeds that can take something, beginning with another one each time. left is how many feeds
// there are.
func (l *leader) request() (r *request, left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cfg, n := &l.f.cfg, len(l.mu.feeds)
	if n == 0 {
		l.mu.ended = true
		return nil, 0
	}
	most := min(int64(cfg.MaxBytes), cfg.Portion.fetched.limit()/4)
	r = &request{fetched: cfg.Portion.fetched, reserved: min(l.ask, most), wait: cfg.MaxWait}
	l.turn++
	for i := range n {
		d := l.mu.feeds[(l.turn+i)%n]
		offset, epoch, want, ok := d.wants()
		if !ok {
			r.wait = min(r.wait, shortWait)
			continue
		}
		r.reserved = max(r.reserved, int64(want))
		r.add(d, offset, epoch)
	}
	if l.mu.fresh > 0 {
		l.mu.fresh--
		r.wait = min(r.wait, shortWait)
	}
	r.limits = fetchLimits{maxWaitMs: int32(r.wait.Milliseconds()), minBytes: cfg.MinBytes, maxBytes: int32(r.reserved)}
	return r, n
}

// adapt asks for more after full answers and for less after small ones, so that quiet connections reserve little.
func (l *leader) adapt(r *request) {
	switch {
	case r.got >= r.asked/2:
		l.ask = min(max(l.ask, r.asked)*2, int64(l.f.cfg.MaxBytes))
	case r.got < r.asked/8:
		l.ask = max(l.ask/2, leastAsk)
	}
}

// refused deals with one partition that the broker gave an error for. An error of its own means that the connection
// is of no use.
func (l *leader) refused(ctx context.Context, conn *kafka.Conn, c refusal) error {
	if c.code == kerr.OffsetOutOfRange.Code {
		return l.outOfRange(ctx, conn, c)
	}
	c.feed.troubled(fmt.Errorf("fetching %s/%d from the broker at %s: %w", c.feed.topic, c.feed.partition, l.addr, c.why()))
	l.leave(c.feed)
	c.feed.backOff()
	if c.feed.move(nil) {
		l.f.cfg.Cluster.Forget(c.feed.topic, c.feed.partition)
		l.f.rehome(c.feed)
	}
	return nil
}

// exchange sends the request and hands each partition's answer to its feed.
func (r *request) exchange(ctx context.Context, conn *kafka.Conn) error {
	r.asked = r.reserved
	got := make(chan error, 1) // filled exactly once, by done
	body := appendFetch(nil, r.limits, r.grouped())
	err := conn.Send(fetchKey, fetchVersion, net.Buffers{body}, func(reply []byte, err error) {
		if err == nil {
			err = r.accept(reply)
		}
		got <- err
	})
	if err != nil {
		return err
	}
	select {
	case err := <-got:
		return err
	case <-ctx.Done():
		conn.Close() // done has been called when Close returns: nobody touches r any more
		return ctx.Err()
	}
}
