package group

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// deadlines says when which group has something to do, with one timer for all. A heartbeat only moves a
// session's end away, so it does not touch this: the group is looked at a little early and says anew.
type deadlines struct {
	kick chan struct{} // buffered: the earliest deadline has changed
	mu   struct {
		sync.Mutex
		queue queue
		place map[*group]*appointment
	}
}

type appointment struct {
	at    time.Time
	g     *group
	index int
}

func newDeadlines() *deadlines {
	d := &deadlines{kick: make(chan struct{}, 1)}
	d.mu.place = map[*group]*appointment{}
	return d
}

// set appoints g at one time, instead of any earlier appointment; zero means none.
func (d *deadlines) set(g *group, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.mu.place[g]
	switch {
	case at.IsZero() && a == nil:
		return
	case at.IsZero():
		heap.Remove(&d.mu.queue, a.index)
		delete(d.mu.place, g)
	case a == nil:
		a = &appointment{at: at, g: g}
		d.mu.place[g] = a
		heap.Push(&d.mu.queue, a)
	default:
		a.at = at
		heap.Fix(&d.mu.queue, a.index)
	}
	select {
	case d.kick <- struct{}{}:
	default: // it is awake already
	}
}

// due takes out a group whose time has come, or says how long until the next.
func (d *deadlines) due() (g *group, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.mu.queue) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(d.mu.queue[0].at); wait > 0 {
		return nil, wait
	}
	a := heap.Pop(&d.mu.queue).(*appointment)
	delete(d.mu.place, a.g)
	return a.g, 0
}

// run calls fire with each group at its time, until ctx ends.
func (d *deadlines) run(ctx context.Context, fire func(*group)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		g, wait := d.due()
		if g != nil {
			fire(g)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-d.kick:
		case <-timer.C:
		}
	}
}

// queue is a heap of appointments, the earliest first.
type queue []*appointment

// Len is heap.Interface's.
func (q queue) Len() int { return len(q) }

// Less is heap.Interface's.
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

// Swap is heap.Interface's.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is heap.Interface's.
func (q *queue) Push(x any) {
	a := x.(*appointment)
	a.index = len(*q)
	*q = append(*q, a)
}

// Pop is heap.Interface's.
func (q *queue) Pop() any {
	old := *q
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return a
}
