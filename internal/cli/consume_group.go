package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/internal/record"
)

// runGroup shows the records as one member of a consumer group. A record is committed after it has been printed.
func (c *consumer) runGroup(ctx context.Context) error {
	client, err := c.groupClient(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	defer client.Close()
	group, err := sarama.NewConsumerGroupFromClient(c.f.group, client)
	if err != nil {
		return fmt.Errorf("joining group %s: %w", c.f.group, err)
	}
	defer group.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	m := &member{consumer: c, stop: stop}
	group.PauseAll() // it says who owns what; the records come by way of reading
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{c.topic}, m); err != nil && ctx.Err() == nil {
			return fmt.Errorf("consuming %s in group %s: %w", c.topic, c.f.group, notAllowed(err, "Read", "group", c.f.group))
		}
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, errEnough) {
		return cause
	}
	return nil
}

// groupClient is a sarama client for a topic that exists.
func (c *consumer) groupClient(ctx context.Context) (sarama.Client, error) {
	cfg := c.g.kafkaConfig("loghaul-consume")
	cl := newCluster(cfg)
	defer cl.Close()
	if _, err := cl.leaders(ctx, c.topic); err != nil {
		return nil, err
	}
	sc, err := cfg.Sarama()
	if err != nil {
		return nil, err
	}
	sc.Metadata.AllowAutoTopicCreation = false
	sc.Consumer.IsolationLevel = sarama.ReadCommitted
	sc.Consumer.Offsets.AutoCommit.Enable = false
	sc.Consumer.Offsets.Initial = sarama.OffsetOldest
	if c.from.kind == atEnd {
		sc.Consumer.Offsets.Initial = sarama.OffsetNewest
	}
	client, err := sarama.NewClient(cfg.Brokers, sc)
	if err != nil {
		return nil, fmt.Errorf("reaching the brokers: %w: name them with --brokers", err)
	}
	return client, nil
}

// member is the group's side of a consumer: sarama runs ConsumeClaim once for each partition, concurrently.
type member struct {
	stop context.CancelCauseFunc
	mu   struct {
		sync.Mutex
		open int // claims of this session that have not reached their end; with --follow=false
	}
	print    sync.Mutex // one claim prints and commits at a time
	consumer *consumer  // under print
}

// Setup begins a session.
func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.open = len(s.Claims()[m.consumer.topic])
	if m.mu.open == 0 && !m.consumer.f.follow {
		m.stop(nil) // others have all partitions
	}
	return nil
}

// Cleanup ends a session; everything printed has been committed by then.
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim prints one partition until the session ends.
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	err := m.consume(s, claim)
	switch {
	case s.Context().Err() != nil:
		return nil
	case err != nil:
		m.stop(err)
		return nil
	}
	m.claimDone()
	<-s.Context().Done() // a claim that returned would end the others'
	return nil
}

// consume reads the claim from its commit to the present end, or without end.
func (m *member) consume(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	ctx, c, p := s.Context(), m.consumer, claim.Partition()
	cl := newCluster(c.g.kafkaConfig("loghaul-consume"))
	defer cl.Close()
	leaders, err := cl.leaders(ctx, c.topic)
	if err != nil {
		return err
	}
	held, err := cl.held(ctx, c.topic, map[int32]string{p: leaders[p]})
	if err != nil {
		return err
	}
	stretches := map[int32]stretch{p: startOf(claim, held[p], c.f.follow)}
	r := &reading{cluster: cl, topic: c.topic, want: stretches, endless: c.f.follow, away: func(err error) {
		c.g.sayf("%v; waiting for it to come back", err)
	}}
	return r.run(ctx, func(f *fetched) error { return m.show(s, f, stretches[p]) }, func() error { return nil })
}

// startOf is where a claim goes on: at the group's commit, where retention has not passed it.
func startOf(claim sarama.ConsumerGroupClaim, held bounds, follow bool) stretch {
	s := stretch{to: -1}
	switch o := claim.InitialOffset(); o {
	case sarama.OffsetOldest:
		s.from = held.start
	case sarama.OffsetNewest:
		s.from = held.end
	default:
		s.from = held.within(record.Offset(o))
	}
	if !follow {
		s.to = held.end
	}
	return s
}

func (m *member) claimDone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.open--; m.mu.open == 0 {
		m.stop(nil)
	}
}

// show prints what an answer holds of the stretch, then commits behind the last record that was printed.
func (m *member) show(s sarama.ConsumerGroupSession, f *fetched, part stretch) error {
	m.print.Lock()
	defer m.print.Unlock()
	c := m.consumer
	if c.f.n > 0 && c.shown >= c.f.n {
		return errEnough
	}
	next := f.next
	err := f.committed(&c.reader, func(r *record.Record) error {
		if r.Offset < part.from || (part.to >= 0 && r.Offset >= part.to) {
			return nil
		}
		if err := c.show(f.partition, r); err != nil {
			next = r.Offset + 1
			return err
		}
		return nil
	})
	if flushed := c.out.Flush(); flushed != nil {
		return flushed
	}
	if err == nil || errors.Is(err, errEnough) {
		s.MarkOffset(c.topic, f.partition, int64(next), "")
		s.Commit()
	}
	return err
}
