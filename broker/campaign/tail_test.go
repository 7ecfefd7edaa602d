package campaign

import (
	"context"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tail reads a topic of sequences all the time, as far as the broker lets it see: what a consumer saw stays, at its
// offset, whatever happens to the broker.
type tail struct {
	s  *sequences
	mu struct {
		sync.Mutex
		followers []*follower
		next      map[int32]int64 // offset
	}
}

func newTail(s *sequences) *tail {
	t := &tail{s: s}
	t.mu.next = map[int32]int64{}
	for p := range s.partitions {
		t.mu.followers = append(t.mu.followers, s.follower(p))
	}
	return t
}

func (*tail) topics() []kmsg.CreateTopicsRequestTopic { return nil }

func (t *tail) run(ctx context.Context) {
	from := map[int32]kgo.Offset{}
	for p := range t.s.partitions {
		from[p] = kgo.NewOffset().At(0)
	}
	cl := t.s.w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.s.topic: from}), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer cl.Close()
	for ctx.Err() == nil || !t.whole() {
		if t.s.w.failed() {
			return
		}
		t.poll(cl)
	}
}

// poll takes what is there.
func (t *tail) poll(cl *kgo.Client) {
	ctx, cancel := context.WithTimeout(t.s.w.life, pollTime)
	defer cancel()
	fetches := cl.PollFetches(ctx)
	for _, e := range fetches.Errors() {
		if ctx.Err() == nil {
			t.s.w.fail("the reader of %s-%d was told: %v", e.Topic, e.Partition, e.Err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		if r.Offset != t.mu.next[r.Partition] {
			t.s.w.fail("the reader of %s-%d got offset %d, want %d", r.Topic, r.Partition, r.Offset, t.mu.next[r.Partition])
		}
		t.mu.next[r.Partition] = r.Offset + 1
		t.mu.followers[r.Partition].see(r)
	})
}

// whole tells whether all that was sent so far has been seen.
func (t *tail) whole() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.mu.followers {
		if f.whole() != nil {
			return false
		}
	}
	return true
}

// ends is how far each partition has been seen.
func (t *tail) ends() map[int32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.mu.next)
}

func (*tail) check(context.Context) {}
