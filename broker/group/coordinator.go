package group

import (
	"context"
	"fmt"
	"sync"

	"github.com/loghaul/loghaul/broker/statelog"
	"golang.org/x/sync/errgroup"
)

// Coordinator keeps all groups of the broker. It is safe for concurrent use.
type Coordinator struct {
	cfg       Config
	log       Log
	writer    *statelog.Writer
	deadlines *deadlines
	use       usage
	txns      openTxns
	stopped   chan struct{} // closed by Run when it ends
	matching  sync.Mutex    // held by the group that holds regular expressions against topics; nobody waits for it

	mu struct {
		sync.Mutex
		groups map[ID]*group
	}
}

// New makes a Coordinator that stores in log, which the caller opens before and closes after. It starts
// nothing and knows nothing yet: Load, then Run.
func New(cfg Config, log Log) (*Coordinator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the groups: %w", err)
	}
	c := &Coordinator{cfg: cfg.withDefaults(), log: log, deadlines: newDeadlines(), stopped: make(chan struct{})}
	c.writer = statelog.NewWriter(statelog.Config{Name: Topic, Limit: c.cfg.RewriteBytes}, log)
	c.mu.groups = map[ID]*group{}
	c.txns.byProducer = map[int64]map[*group]*openTxn{}
	return c, nil
}

// Run keeps the groups' time and answers what waits for the disk, until ctx ends; then whatever still
// waits is answered with ErrStopped, and nil is returned. It may run once.
func (c *Coordinator) Run(ctx context.Context) error {
	defer close(c.stopped)
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return c.writer.Run(ctx) })
	all.Go(func() error { return c.deadlines.run(ctx, c.fire) })
	all.Go(func() error { return c.keep(ctx) })
	return all.Wait()
}

// fire lets a group act on the deadlines that have passed.
func (c *Coordinator) fire(g *group) {
	g.mu.Lock()
	defer c.release(g)
	if g.state != Dead {
		g.tick()
	}
}

// acquire returns the group with its lock held; release gives it back. A group that is not there is
// made when create says so and there is room for it; otherwise nil is returned.
func (c *Coordinator) acquire(id ID, create bool) *group {
	for {
		c.mu.Lock()
		g := c.mu.groups[id]
		if g == nil && create && c.use.members.Load()+groupBytes+int64(len(id)) <= c.cfg.MaxMemberBytes {
			g = newGroup(id, c)
			c.mu.groups[id] = g
		}
		c.mu.Unlock()
		if g == nil {
			return nil
		}
		g.mu.Lock()
		if g.state != Dead {
			return g
		}
		g.mu.Unlock() // removed in between: the list has it no more
	}
}

// release gives a group's lock back, after the deadlines have learned of a nearer one and a group that
// has nothing left to remember has gone.
func (c *Coordinator) release(g *group) {
	if g.state != Dead && g.vacant() {
		c.bury(g)
	}
	if g.retime {
		g.retime = false
		c.deadlines.set(g, g.nextWake())
	}
	g.mu.Unlock()
}

// bury takes a group, locked, out of the list for good.
func (c *Coordinator) bury(g *group) {
	g.become(Dead)
	c.mu.Lock()
	c.unlist(g)
	c.mu.Unlock()
}

// unlist takes a group out of the list; the caller holds its lock.
func (c *Coordinator) unlist(g *group) {
	c.use.members.Add(-groupBytes - int64(len(g.id)))
	delete(c.mu.groups, g.id)
}

// all are the groups of this moment, in no order.
func (c *Coordinator) all() []*group {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*group, 0, len(c.mu.groups))
	for _, g := range c.mu.groups {
		list = append(list, g)
	}
	return list
}

// validID says whether a group with members may be called so.
func validID(id ID) bool { return id != "" && len(id) <= MaxIDBytes }

// storableID says whether offsets may be kept under that name: old simple consumers commit without one.
func storableID(id ID) bool { return len(id) <= MaxIDBytes }
