package txn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxEnding is how many transactions are ended at a time: each waits for the disk twice.
const maxEnding = 64

// ending is the queue of transactions whose end is durable and has to be told to their partitions. It holds each at most
// once, in order.
type ending struct {
	wake chan struct{} // buffered: something is in list
	mu   struct {
		sync.Mutex
		list  []*transaction
		again []*transaction // could not be told to all; tried again after Config.RetryPause
	}
}

func (e *ending) add(t *transaction) {
	e.mu.Lock()
	e.mu.list = append(e.mu.list, t)
	e.mu.Unlock()
	e.poke()
}

func (e *ending) later(t *transaction) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.again = append(e.mu.again, t)
}

// retry makes those that failed due.
func (e *ending) retry() {
	e.mu.Lock()
	e.mu.list, e.mu.again = append(e.mu.list, e.mu.again...), nil
	e.mu.Unlock()
	e.poke()
}

func (e *ending) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *ending) take() []*transaction {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.mu.list
	e.mu.list = nil
	return list
}

// endAll ends what is due, until ctx ends.
func (c *Coordinator) endAll(ctx context.Context) error {
	var helpers errgroup.Group
	helpers.SetLimit(maxEnding)
	again := time.NewTicker(c.cfg.RetryPause)
	defer again.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-again.C:
			c.ending.retry()
		case <-c.ending.wake:
			for _, t := range c.ending.take() {
				helpers.Go(func() error {
					c.endOne(ctx, t)
					return nil
				})
			}
		}
	}
	return helpers.Wait()
}

// endOne tells one transaction's end to its partitions and stores that it is over; what fails is tried again later.
func (c *Coordinator) endOne(ctx context.Context, t *transaction) {
	err := t.tell(ctx)
	if err == nil {
		err = t.complete()
	}
	if err == nil || ctx.Err() != nil { // after a restart it is told again
		return
	}
	t.mu.Lock()
	first := !t.warned
	t.warned = true
	t.mu.Unlock()
	if first {
		c.cfg.Logger.Warn("could not end a transaction everywhere; trying again until it is done", "transactional_id", string(t.id), "error", err)
	}
	c.ending.later(t)
}

// tell writes the end into every partition and waits until all have it on the disk: only then may the transaction be
// forgotten, or a crash could leave a partition that waits for an end that nobody knows. Tried again, it goes to those that
// failed alone: markers of every try would fill the others.
func (t *transaction) tell(ctx context.Context) error {
	if err := t.alone(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	m := Marker{Producer: t.producer, Commit: t.state == PrepareCommit, CoordinatorEpoch: t.c.cfg.Epoch}
	partitions := t.names()
	t.mu.Unlock()
	if t.told == nil {
		t.told = map[Partition]bool{}
	}
	var waits []func(context.Context) error
	var marked []Partition
	var errs []error
	for _, p := range partitions {
		if t.told[p] {
			continue
		}
		wait, err := t.c.markers.Mark(p, m)
		switch {
		case err == nil:
			waits, marked = append(waits, wait), append(marked, p)
		case t.nothingToEnd(p, err):
			t.told[p] = true
		default:
			errs = append(errs, fmt.Errorf("writing the end into %s-%d: %w", p.Topic, p.Index, err))
		}
	}
	for i, wait := range waits {
		if err := wait(ctx); err != nil && !t.nothingToEnd(marked[i], err) {
			errs = append(errs, fmt.Errorf("waiting for the end in %s-%d to be durable: %w", marked[i].Topic, marked[i].Index, err))
			continue
		}
		t.told[marked[i]] = true
	}
	return errors.Join(errs...)
}

// nothingToEnd says whether a partition refuses an end because it has no open transaction of the producer: it was deleted,
// or has seen a newer epoch of the producer, which it lets in only without one.
func (t *transaction) nothingToEnd(p Partition, err error) bool {
	if !errors.Is(err, ErrNoPartition) && !errors.Is(err, ErrStaleEpoch) {
		return false
	}
	t.c.cfg.Logger.Info("a partition has nothing left of a transaction that ends", "transactional_id", string(t.id),
		"topic", p.Topic, "partition", p.Index, "reason", err)
	return true
}

// complete makes room for the next transaction. Its first record comes behind this one in the log, so nobody has to wait
// until this is durable.
func (t *transaction) complete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, partitions := t.image(), t.partitions
	t.state++ // PrepareCommit to CompleteCommit, PrepareAbort to CompleteAbort
	t.state++
	t.partitions = map[Partition]bool{}
	if err := t.store(before, nil); err != nil {
		t.partitions = partitions
		return err
	}
	t.told = nil
	for p := range partitions {
		t.c.use.Add(-partitionCost - int64(len(p.Topic)))
	}
	close(t.ended)
	t.ended = nil
	return nil
}
