package txn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/loghaul/loghaul/broker/statelog"
)

// Topic is where the state of the transactions is stored, in Kafka's own formats.
const Topic = "__transaction_state"

// Marker is the end of a transaction, as each of its partitions gets it.
type Marker struct {
	Producer         Producer
	Commit           bool
	CoordinatorEpoch int32
}

// Markers write the ends of transactions. Writing one where it was written before does no harm.
type Markers interface {
	// Mark appends a marker to a partition; wait, which must be called, returns when it is durable. ErrNoPartition
	// says that the partition is gone; after any other error it is tried again.
	Mark(p Partition, m Marker) (wait func(context.Context) error, err error)
}

// Coordinator keeps all transactions of the broker. It is safe for concurrent use.
type Coordinator struct {
	cfg     Config
	ids     *ProducerIDs
	markers Markers
	writer  *statelog.Writer
	ending  ending
	use     atomic.Int64 // bytes, by the reckoning of idCost and partitionCost

	mu struct {
		sync.RWMutex
		byID map[ID]*transaction
	}
}

// What one id and one partition are reckoned to take in memory besides their names, in bytes.
const (
	idCost        = 512
	partitionCost = 64
)

// New makes a Coordinator that stores in log, which the caller opens before and closes after. It starts
// nothing and knows nothing yet: Load, then Run.
func New(cfg Config, log statelog.Log, ids *ProducerIDs, markers Markers) (*Coordinator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the transactions: %w", err)
	}
	c := &Coordinator{cfg: cfg.withDefaults(), ids: ids, markers: markers}
	c.writer = statelog.NewWriter(statelog.Config{Name: Topic, Limit: c.cfg.RewriteBytes}, log)
	c.ending.wake = make(chan struct{}, 1)
	c.mu.byID = map[ID]*transaction{}
	return c, nil
}

// Run answers what waits for the disk, tells the partitions how transactions end and aborts those that take too long,
// until ctx ends; then whatever still waits is answered with statelog.ErrStopped, and nil is returned. It may run once.
func (c *Coordinator) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return c.writer.Run(ctx) })
	all.Go(func() error { return c.endAll(ctx) })
	all.Go(func() error { return c.keep(ctx) })
	return all.Wait()
}

// Mark writes a marker that an operator asks for, whatever the coordinator thinks of its transaction. It is of no newer
// coordinator than this one, whose own markers the partition would refuse for good.
func (c *Coordinator) Mark(p Partition, m Marker) (wait func(context.Context) error, err error) {
	m.CoordinatorEpoch = min(m.CoordinatorEpoch, c.cfg.Epoch)
	return c.markers.Mark(p, m)
}

// find is the transaction of an id, nil when there is none.
func (c *Coordinator) find(id ID) *transaction {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.byID[id]
}

// acquire returns the transaction of an id with its lock held, and makes it when create says so; else nil.
func (c *Coordinator) acquire(id ID, create bool) *transaction {
	for {
		t := c.find(id)
		if t == nil && create {
			t = c.create(id)
		}
		if t == nil {
			return nil
		}
		t.mu.Lock()
		if t.state != Dead {
			return t
		}
		t.mu.Unlock() // removed in between: the list has it no more
	}
}

func (c *Coordinator) create(id ID) *transaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.mu.byID[id]
	if t == nil {
		t = newTransaction(c, id)
		c.mu.byID[id] = t
		c.use.Add(idCost + int64(len(id)))
	}
	return t
}

// bury takes a transaction, locked, out of the list for good.
func (c *Coordinator) bury(t *transaction) {
	t.state = Dead
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.byID, t.id)
	c.use.Add(-idCost - int64(len(t.id)))
}

// all are the transactions of this moment, in no order.
func (c *Coordinator) all() []*transaction {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]*transaction, 0, len(c.mu.byID))
	for _, t := range c.mu.byID {
		list = append(list, t)
	}
	return list
}

// full says whether more bytes would be too many.
func (c *Coordinator) full(more int64) bool { return c.use.Load()+more > c.cfg.MaxBytes }

// validID says whether a transactional id may be called so.
func validID(id ID) bool { return id != "" && len(id) <= MaxIDBytes }
