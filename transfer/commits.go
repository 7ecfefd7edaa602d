package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/loghaul/loghaul/transfer/worker"
	"github.com/twmb/franz-go/pkg/kerr"
)

// commits writes the offsets of one session: one member in one generation. One request is in flight at a time and
// carries what all partitions want; so one commit a partition is in flight, and none overtakes another. After fence
// nothing is sent any more.
type commits struct {
	coord *coordinator
	who   member

	mu struct {
		sync.Mutex
		fenced bool
		queue  []*errand
	}
	wake chan struct{} // holds a token when the queue has grown; capacity 1
	over chan struct{} // closed by fence
}

// errand is one partition's commit on its way.
type errand struct {
	at     place
	commit worker.Commit
	done   chan error // gets one value
}

// Waits between tries of a commit.
const (
	firstCommitWait = 50 * time.Millisecond
	lastCommitWait  = time.Second
)

func newCommits(coord *coordinator, who member) *commits {
	return &commits{coord: coord, who: who, wake: make(chan struct{}, 1), over: make(chan struct{})}
}

// Fetch reads the group's commit of a partition.
func (c *commits) Fetch(ctx context.Context, topic string, partition int32) (worker.Commit, error) {
	at := place{topic, partition}
	found, err := c.coord.fetch(ctx, &at)
	if err != nil {
		return worker.Commit{}, err
	}
	if commit, ok := found[at]; ok {
		return commit, nil
	}
	return worker.Commit{Offset: noOffset}, nil
}

// Commit returns once the commit is acknowledged, ctx ends, or the group has moved on.
func (c *commits) Commit(ctx context.Context, topic string, partition int32, commit worker.Commit) error {
	e := &errand{at: place{topic, partition}, commit: commit, done: make(chan error, 1)}
	c.mu.Lock()
	c.mu.queue = append(c.mu.queue, e)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-e.done:
		return err
	case <-c.over:
		return worker.ErrFenced
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fence ends the session's right to commit; a request that is on its way may still arrive.
func (c *commits) fence() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.fenced {
		c.mu.fenced = true
		close(c.over)
	}
}

// run sends what is queued until fence, or until ctx ends.
func (c *commits) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, c.fence)()
	wait := firstCommitWait
	var open map[place]*errand
	for {
		if len(open) == 0 {
			select {
			case <-c.wake:
			case <-c.over:
				return
			}
		}
		open = c.gather(open)
		var err error
		if open, err = c.send(ctx, open); err == nil {
			wait = firstCommitWait
			continue
		}
		select {
		case <-time.After(wait):
		case <-c.over:
			return
		}
		wait = min(2*wait, lastCommitWait)
	}
}

// gather adds what was queued to what is still open. A partition has at most one of each, and asks for the next only
// after the one before.
func (c *commits) gather(open map[place]*errand) map[place]*errand {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open == nil {
		open = map[place]*errand{}
	}
	for _, e := range c.mu.queue {
		open[e.at] = e
	}
	c.mu.queue = nil
	return open
}

// send sends one request for all of open and returns what has to be tried again, with the reason.
func (c *commits) send(ctx context.Context, open map[place]*errand) (map[place]*errand, error) {
	if len(open) == 0 {
		return nil, nil
	}
	offsets := make(map[place]worker.Commit, len(open))
	for at, e := range open {
		offsets[at] = e.commit
	}
	answered, err := c.coord.commit(ctx, c.who, offsets)
	if err != nil {
		return open, err
	}
	var again error
	for at, e := range open {
		err, ok := answered[at]
		if !ok {
			err = fmt.Errorf("the coordinator of group %s did not answer for %s/%d", c.coord.group, at.topic, at.partition)
		}
		if passes(err) || !ok {
			again = err
			continue
		}
		if err != nil {
			err = fmt.Errorf("committing offset %d of %s/%d: %w", e.commit.Offset, at.topic, at.partition, err)
		}
		e.done <- err
		delete(open, at)
	}
	return open, again
}

// passes says which refusals of a commit pass by themselves: the coordinator moves or loads, or the group is between
// two generations. The rest is for somebody to mend, or means that we are fenced.
func passes(err error) bool {
	for _, passing := range []error{
		kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RebalanceInProgress,
		kerr.RequestTimedOut, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.UnknownServerError, kerr.KafkaStorageError,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}
