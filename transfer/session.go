package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/transfer/worker"
)

// Times of group membership.
const (
	sessionTimeout   = 10 * time.Second
	heartbeat        = 500 * time.Millisecond
	rebalanceTimeout = 30 * time.Second
	// drainTimeout is how long a partition that is taken away may finish what is in flight: less than the session,
	// so that even a member whose heartbeats fail is done before another one begins.
	drainTimeout = 6 * time.Second
)

// holdClaims is the client that a ConsumerGroup gets. To it no partition is readable, so sarama's session waits with
// every claim and never starts its own fetch: the group decides who owns what, and not one byte is read twice.
type holdClaims struct{ sarama.Client }

// PartitionNotReadable is what sarama's session asks before it begins to read a claim.
func (holdClaims) PartitionNotReadable(string, int32) bool { return true }

// session is one generation of a route's membership; it hears from sarama what was assigned and what is taken away.
type session struct {
	route  *route
	topics map[string]topic
	hard   context.Context // ends when even draining is over; handed to the workers that Setup starts

	mu struct {
		sync.Mutex
		workers []*worker.Worker
		commits *commits
		cancel  context.CancelFunc // of the workers
		wg      *sync.WaitGroup    // of the commits' goroutine
	}
}

// began says that the group has answered: there is something to clean up.
func (s *session) began() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.commits != nil
}

// Setup starts a worker for each partition that was assigned.
func (s *session) Setup(cs sarama.ConsumerGroupSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.route
	ctx, cancel := context.WithCancel(s.hard)
	who := member{id: cs.MemberID(), instance: r.env.instance(), generation: cs.GenerationID()}
	c := newCommits(r.coord, who)
	s.mu.commits, s.mu.cancel, s.mu.wg = c, cancel, &sync.WaitGroup{}
	s.mu.wg.Go(func() { c.run(ctx) })
	r.joined(who)
	for name, partitions := range cs.Claims() {
		for _, partition := range partitions {
			w := r.newWorker(name, partition, s.topics[name].id, c)
			s.mu.workers = append(s.mu.workers, w)
			r.serve(ctx, w, place{name, partition})
		}
	}
	r.assigned(s.mu.workers)
	r.log.Info("joined the group", "group", r.value.Group, "generation", who.generation, "partitions", len(s.mu.workers))
	return nil
}

// ConsumeClaim is not called as long as claims are held; it waits for the session's end.
func (s *session) ConsumeClaim(cs sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-cs.Context().Done()
	return nil
}

// Cleanup drains every partition before the group may give it to somebody else. What is not done in time is fenced: it
// commits nothing any more. Heartbeats go on meanwhile.
func (s *session) Cleanup(sarama.ConsumerGroupSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.mu.workers {
		w.Drain()
	}
	deadline := time.NewTimer(drainTimeout)
	defer deadline.Stop()
	late := 0
	for _, w := range s.mu.workers {
		select {
		case <-w.Done():
			continue
		default:
		}
		select {
		case <-w.Done():
		case <-deadline.C:
			deadline.Reset(0)
			late++
		case <-s.hard.Done():
			late++
		}
	}
	if late > 0 {
		s.route.log.Warn("partitions were taken away before their last batch was stored: it is not committed", "partitions", late)
	}
	s.mu.commits.fence()
	s.mu.cancel()
	s.mu.wg.Wait()
	s.route.assigned(nil)
	return nil
}

// consume is one life as a member: until a rebalance, until ctx ends, or until the group fails.
func (s *session) consume(ctx context.Context, group sarama.ConsumerGroup) error {
	err := group.Consume(ctx, sortedNames(s.topics), s)
	if ctx.Err() != nil || errors.Is(err, sarama.ErrClosedConsumerGroup) {
		return nil
	}
	return err
}

// groupConfig is how a route's member joins.
func groupConfig(c *cluster, instance string) (*sarama.Config, error) {
	s, err := c.sarama()
	if err != nil {
		return nil, err
	}
	// A heartbeat is tried for about five seconds, half a session: a broker that restarts quickly costs no rebalance.
	s.Metadata.Retry.Max = 20
	s.Consumer.Return.Errors = true
	s.Consumer.Offsets.AutoCommit.Enable = false // commits are the workers'
	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Group.Session.Timeout = sessionTimeout
	s.Consumer.Group.Heartbeat.Interval = heartbeat
	s.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	s.Consumer.Group.Rebalance.Retry.Backoff = 250 * time.Millisecond
	s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	s.Consumer.Group.InstanceId = instance
	return s, nil
}
