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
	m := &member{consumer: c, stop: stop, client: client, stands: map[int32]bool{}}
	group.PauseAll() // it says who owns what; the records come by way of reading
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{c.topic}, m); err != nil && ctx.Err() == nil {
			return fmt.Errorf("consuming %s in group %s: %w", c.topic, c.f.group, c.g.whyRefused(ctx, notAllowed(err, "Read", "group", c.f.group)))
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
	stop   context.CancelCauseFunc
	client sarama.Client
	mu     struct {
		sync.Mutex
		open int             // claims of this session that have not reached their end; with --follow=false
		had  map[int32]int64 // what the group had committed when the session began
	}
	print    sync.Mutex     // one claim prints and commits at a time
	consumer *consumer      // under print
	stands   map[int32]bool // where it has committed; under print
}

// Setup begins a session.
func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	had, err := m.committed(s)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.had = had
	m.mu.open = len(s.Claims()[m.consumer.topic])
	if m.mu.open == 0 && !m.consumer.f.follow {
		m.stop(nil) // others have all partitions
	}
	return nil
}

// committed is what the group has committed in the session's partitions. A claim does not say it where that offset is not
// there any more.
func (m *member) committed(s sarama.ConsumerGroupSession) (map[int32]int64, error) {
	if len(s.Claims()[m.consumer.topic]) == 0 {
		return nil, nil // others have all partitions; and a question about none has no answer that sarama reads
	}
	admin, err := sarama.NewClusterAdminFromClient(m.client) // closing it would close the client
	if err != nil {
		return nil, fmt.Errorf("asking what group %s has committed: %w", m.consumer.f.group, err)
	}
	topic := m.consumer.topic
	resp, err := admin.ListConsumerGroupOffsets(m.consumer.f.group, map[string][]int32{topic: s.Claims()[topic]})
	if err == nil && !errors.Is(resp.Err, sarama.ErrNoError) {
		err = resp.Err
	}
	if err != nil {
		return nil, fmt.Errorf("asking what group %s has committed: %w", m.consumer.f.group, err)
	}
	had := map[int32]int64{}
	for n, block := range resp.Blocks[topic] {
		if !errors.Is(block.Err, sarama.ErrNoError) {
			return nil, fmt.Errorf("asking what group %s has committed in %s/%d: %w", m.consumer.f.group, topic, n, block.Err)
		}
		had[n] = block.Offset
	}
	return had, nil
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
	written, err := cl.offsets(ctx, c.topic, map[int32]string{p: leaders[p]}, timeWritten)
	if err != nil {
		return err
	}
	if lost, is := cl.lostFirst(ctx, c.topic, held)[p]; is && m.before(claim, lost.end) {
		if m.hadOf(claim) < 0 {
			m.stand(s, p, lost.start)
		}
		return lostError(c.f.group, c.topic, p, lost)
	}
	part, anew := m.startOf(claim, held[p], written[p])
	if anew {
		m.commit(s, p, part.from) // at once: when the partition has grown past the old commit, nothing would tell
	}
	stretches := map[int32]stretch{p: part}
	r := &reading{cluster: cl, topic: c.topic, group: c.f.group, want: stretches, endless: c.f.follow, away: func(err error) {
		c.g.sayf("%v; waiting for it to come back", err)
	}}
	err = r.run(ctx, func(f *fetched) error { return m.show(s, f, stretches[p]) }, func() error { return nil })
	if err != nil && ctx.Err() == nil && m.hadOf(claim) < 0 {
		m.stand(s, p, part.from)
	}
	return err
}

// stand commits where the group stands that could read nothing: otherwise it would be gone with its member, and nobody
// could move it behind what stops it.
func (m *member) stand(s sarama.ConsumerGroupSession, partition int32, at record.Offset) {
	m.print.Lock()
	defer m.print.Unlock()
	if !m.stands[partition] {
		m.commitPrinted(s, partition, at)
	}
}

// hadOf is what the group had committed when the session began; negative: nothing.
func (m *member) hadOf(claim sarama.ConsumerGroupClaim) record.Offset {
	m.mu.Lock()
	defer m.mu.Unlock()
	if had, known := m.mu.had[claim.Partition()]; known {
		return record.Offset(had)
	}
	return record.Offset(claim.InitialOffset())
}

// before says whether a claim goes on before an offset that the partition begins with.
func (m *member) before(claim sarama.ConsumerGroupClaim, first record.Offset) bool {
	at := m.hadOf(claim)
	return at >= 0 && at < first || at < 0 && m.consumer.from.kind == atBeginning
}

// startOf is where a claim goes on: at the group's commit, where retention has not passed it. A group that has committed
// more than was ever written goes on anew, as one without a commit.
func (m *member) startOf(claim sarama.ConsumerGroupClaim, held bounds, written record.Offset) (s stretch, anew bool) {
	c, at := m.consumer, m.hadOf(claim)
	s = stretch{from: held.start, to: -1}
	if c.from.kind == atEnd {
		s.from = held.end
	}
	if !c.f.follow {
		s.to = held.end
	}
	switch {
	case at < 0:
	case at > written:
		anew = true
		c.g.sayf("group %s had read %s/%d up to offset %d, and the partition ends at %d: records were lost, or the topic was made anew; it goes on as a new group does, at offset %d",
			c.f.group, c.topic, claim.Partition(), at, written, s.from)
	case at < held.start:
		s.from = held.start
		c.g.sayf("group %s had read %s/%d up to offset %d, and the oldest record there now is %d: offsets %d to %d are gone",
			c.f.group, c.topic, claim.Partition(), at, held.start, at, held.start-1)
	default:
		s.from = at
	}
	return s, anew
}

// commit commits an offset, also one before what the group had.
func (m *member) commit(s sarama.ConsumerGroupSession, partition int32, at record.Offset) {
	m.print.Lock()
	defer m.print.Unlock()
	m.commitPrinted(s, partition, at)
}

// commitPrinted is commit for who prints.
func (m *member) commitPrinted(s sarama.ConsumerGroupSession, partition int32, at record.Offset) {
	topic := m.consumer.topic
	s.MarkOffset(topic, partition, int64(at), "")  // goes only forward
	s.ResetOffset(topic, partition, int64(at), "") // and this only back
	s.Commit()
	m.stands[partition] = true
}

func (m *member) claimDone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.open--; m.mu.open == 0 {
		m.stop(nil)
	}
}

// show prints what an answer holds of the stretch, then commits behind the last record that was printed, also where the
// next one cannot be read.
func (m *member) show(s sarama.ConsumerGroupSession, f *fetched, part stretch) error {
	m.print.Lock()
	defer m.print.Unlock()
	c := m.consumer
	if c.f.n > 0 && c.shown >= c.f.n {
		return errEnough
	}
	passed := record.Offset(-1)
	err := f.committed(&c.reader, func(r *record.Record) error {
		if r.Offset < part.from || (part.to >= 0 && r.Offset >= part.to) {
			return nil
		}
		err := c.show(f.partition, r)
		if err == nil || errors.Is(err, errEnough) {
			passed = r.Offset + 1
		}
		return err
	})
	if flushed := c.out.Flush(); flushed != nil {
		return flushed
	}
	if err == nil {
		passed = f.next
	}
	if passed >= 0 {
		m.commitPrinted(s, f.partition, passed)
	}
	return err
}
