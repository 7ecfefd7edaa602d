package campaign

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// members is a group of consumers of a topic of sequences. Whoever has a partition goes on from the group's commit: no
// record is left out, and none comes that lies before a commit that was acknowledged.
type members struct {
	s     *sequences
	group string
	loses bool // retention may be faster than the group
	opts  []kgo.Opt

	mu struct {
		sync.Mutex
		high, committed map[int32]int64 // next offset: of what was consumed, of what was acknowledged
	}
}

func newMembers(s *sequences, group string, opts ...kgo.Opt) *members {
	m := &members{s: s, group: group, opts: opts}
	m.mu.high, m.mu.committed = map[int32]int64{}, map[int32]int64{}
	return m
}

func (*members) topics() []kmsg.CreateTopicsRequestTopic { return nil }

func (m *members) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { m.consume(ctx, 0) })
	both.Go(func() { m.consume(ctx, 1) })
	both.Wait()
}

// consume is one member. The second one leaves now and then, so that partitions change hands.
func (m *members) consume(ctx context.Context, which int) {
	for ctx.Err() == nil || which == 0 && !m.whole() {
		cl := m.s.w.client(append(m.opts, kgo.ConsumerGroup(m.group), kgo.ConsumeTopics(m.s.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(500*time.Millisecond), kgo.SessionTimeout(3*time.Second), kgo.RebalanceTimeout(10*time.Second))...)
		for life := time.Now(); which == 0 || time.Since(life) < 1500*time.Millisecond; {
			if ctx.Err() != nil && (which == 1 || m.whole()) || m.s.w.failed() {
				break
			}
			m.poll(cl)
		}
		limit, cancel := context.WithTimeout(m.s.w.life, 5*time.Second)
		_ = cl.LeaveGroupContext(limit) // away with the broker: its session ends
		cancel()
		cl.Close()
		if m.s.w.failed() {
			return
		}
		rest(ctx, 300*time.Millisecond)
	}
}

// poll consumes and commits what is there.
func (m *members) poll(cl *kgo.Client) {
	ctx, cancel := context.WithTimeout(m.s.w.life, pollTime)
	defer cancel()
	fetches := cl.PollRecords(ctx, 500)
	defer cl.AllowRebalance()
	records := fetches.Records()
	if len(records) == 0 {
		return
	}
	next, back := map[int32]int64{}, ""
	m.mu.Lock()
	for _, r := range records {
		if m.loses {
			m.mu.high[r.Partition] = max(m.mu.high[r.Partition], r.Offset)
		}
		if r.Offset > m.mu.high[r.Partition] {
			m.s.w.fail("group %s was given offset %d of %s-%d after consuming up to %d", m.group, r.Offset, r.Topic, r.Partition, m.mu.high[r.Partition])
		}
		if r.Offset < m.mu.committed[r.Partition] {
			back = fmt.Sprintf("group %s was given offset %d of %s-%d after committing %d", m.group, r.Offset, r.Topic, r.Partition, m.mu.committed[r.Partition])
		}
		next[r.Partition] = r.Offset + 1
		if r.Offset == m.mu.high[r.Partition] {
			m.mu.high[r.Partition]++
			m.s.w.count.consumed.Add(1)
		}
	}
	m.mu.Unlock()
	limit, stop := context.WithTimeout(m.s.w.life, 5*time.Second)
	defer stop()
	if err := cl.CommitRecords(limit, records...); err != nil {
		return // whoever has the partition next consumes these again
	}
	if back != "" { // and the partition was its own all the time, for the commit was taken
		m.s.w.fail("%s", back)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, offset := range next {
		m.mu.committed[p] = max(m.mu.committed[p], offset)
	}
	m.s.w.count.commits.Add(1)
}

// whole tells whether all that was sent has been consumed.
func (m *members) whole() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.s.partitions {
		sent := int64(0)
		for _, each := range m.s.producers {
			sent += each.sent[p].Load()
		}
		if m.mu.high[p] != sent {
			return false
		}
	}
	return true
}

func (m *members) check(ctx context.Context) {
	for p := range m.s.partitions {
		m.mu.Lock()
		high, committed := m.mu.high[p], m.mu.committed[p]
		m.mu.Unlock()
		if got := max(0, m.s.w.offset(ctx, m.group, m.s.topic, p)); got < committed || got > high { // nothing stored is 0
			m.s.w.fail("the offset of group %s for %s-%d is %d, acknowledged was %d and consumed %d", m.group, m.s.topic, p, got, committed, high)
		}
	}
}
