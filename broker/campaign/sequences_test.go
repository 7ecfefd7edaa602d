package campaign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sequences are idempotent producers with acks=all: in each partition, each one's records are those it sent, once and in
// order. With retention the oldest may be gone, never some in between.
type sequences struct {
	w          *world
	topic      string
	partitions int32
	config     []string
	retained   bool // the oldest may go
	burst      int  // a producer sends so many records at most every 4 ms
	producers  []*producer
}

// producer is one of them.
type producer struct {
	name        string
	sent, acked []atomic.Int64 // by partition: the records 0 to n-1
}

func newSequences(w *world, topic string, partitions int32, producers int, retained bool, config ...string) *sequences {
	s := &sequences{w: w, burst: 12, topic: topic, partitions: partitions, retained: retained, config: config}
	for i := range producers {
		s.producers = append(s.producers, &producer{name: fmt.Sprintf("p%d", i), sent: make([]atomic.Int64, partitions), acked: make([]atomic.Int64, partitions)})
	}
	return s
}

func (s *sequences) topics() []kmsg.CreateTopicsRequestTopic {
	return []kmsg.CreateTopicsRequestTopic{topic(s.topic, s.partitions, s.config...)}
}

// line is what producer name sends as its nth record; its length says whether it is whole.
func line(name string, n int64) string {
	return fmt.Sprintf("%s %d %s", name, n, strings.Repeat("x", int(n*7%190)))
}

// parse reads a line and tells whether it is one that was sent.
func parse(value string) (name string, n int64, ok bool) {
	_, err := fmt.Sscanf(value, "%s %d", &name, &n)
	return name, n, err == nil && value == line(name, n)
}

func (s *sequences) run(ctx context.Context) {
	done := make(chan struct{})
	for _, p := range s.producers {
		go func() {
			defer func() { done <- struct{}{} }()
			s.produce(ctx, p)
		}()
	}
	for range s.producers {
		<-done
	}
}

func (s *sequences) produce(ctx context.Context, p *producer) {
	cl := s.w.client()
	defer cl.Close()
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-ctx.Done():
			going = false
		case <-tick.C:
			for range 1 + rand.IntN(s.burst) {
				s.send(cl, p, rand.Int32N(s.partitions))
			}
		}
	}
	limit, cancel := context.WithTimeout(s.w.life, patience)
	defer cancel()
	if err := cl.Flush(limit); err != nil {
		s.w.fail("%s: the last records were not answered: %v", p.name, err)
	}
}

func (s *sequences) send(cl *kgo.Client, p *producer, partition int32) {
	n := p.sent[partition].Add(1) - 1
	cl.Produce(s.w.life, &kgo.Record{Topic: s.topic, Partition: partition, Value: []byte(line(p.name, n))}, func(_ *kgo.Record, err error) {
		if err != nil {
			s.w.fail("%s: record %d of %s-%d was refused: %v", p.name, n, s.topic, partition, err)
			return
		}
		s.w.count.records.Add(1)
		if !p.acked[partition].CompareAndSwap(n, n+1) {
			s.w.fail("%s: record %d of %s-%d was acknowledged after %d", p.name, n, s.topic, partition, p.acked[partition].Load()-1)
		}
	})
}

// follower checks a partition's records as they come.
type follower struct {
	s         *sequences
	partition int32
	next      map[string]int64 // by producer
}

func (s *sequences) follower(partition int32) *follower {
	return &follower{s: s, partition: partition, next: map[string]int64{}}
}

// see takes the next record.
func (f *follower) see(r *kgo.Record) {
	name, n, ok := parse(string(r.Value))
	next, known := f.next[name]
	if !known && f.s.retained {
		next = n
	}
	if !ok || n != next {
		f.s.w.fail("%s-%d: at offset %d is %.60q, want record %d of %s", f.s.topic, f.partition, r.Offset, r.Value, next, name)
	}
	f.next[name] = n + 1
}

// whole says whether all that was sent has been seen.
func (f *follower) whole() error {
	for _, p := range f.s.producers {
		if sent := p.sent[f.partition].Load(); f.next[p.name] != sent {
			return fmt.Errorf("%s-%d ends with record %d of %s, which sent %d", f.s.topic, f.partition, f.next[p.name]-1, p.name, sent)
		}
	}
	return nil
}

func (s *sequences) check(ctx context.Context) {
	var followers []*follower
	for p := range s.partitions {
		followers = append(followers, s.follower(p))
	}
	first := map[int32]int64{}
	s.w.read(ctx, s.topic, s.partitions, func(r *kgo.Record) {
		if _, ok := first[r.Partition]; !ok {
			first[r.Partition] = r.Offset
		}
		followers[r.Partition].see(r)
	})
	for p, f := range followers {
		err := f.whole()
		if err == nil && !s.retained && first[int32(p)] != 0 {
			err = fmt.Errorf("%s-%d begins at offset %d", s.topic, p, first[int32(p)])
		}
		if err != nil {
			s.w.fail("%v", err)
		}
	}
}
