package campaign

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience bounds every wait for the broker; the race detector on busy cores is slow.
const patience = 90 * time.Second

// pollTime is how long a reader waits for records before it looks around.
const pollTime = 200 * time.Millisecond

// settled is how long a client waits before it asks again.
const settled = 10 * time.Millisecond

// settings make segments, looks for retention and compactions small and frequent.
var settings = map[string]string{"log.retention.check.interval.ms": "150", "log.cleaner.backoff.ms": "100", "group.initial.rebalance.delay.ms": "50",
	"group.consumer.heartbeat.interval.ms": "500", "group.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "3000"}

// worker is one kind of load. It goes on while the broker is away.
type worker interface {
	topics() []kmsg.CreateTopicsRequestTopic
	run(ctx context.Context)   // until ctx ends and all that was sent is answered
	check(ctx context.Context) // after all workers have ended: what the broker holds is right
}

// world is a broker under load. What clients see of it is its address.
type world struct {
	t       testing.TB
	addr    string
	workers []worker
	count   counts

	life    context.Context // of every request; ends with the test, or with what is wrong
	end     context.CancelFunc
	stop    context.CancelFunc // tells the workers to finish
	running sync.WaitGroup
}

// counts is what happened in all worlds of a campaign.
type counts struct {
	records, committed, aborted, doubtful, commits, consumed, topics atomic.Int64
}

// String is the counts as part of a summary line.
func (c *counts) String() string {
	return fmt.Sprintf("%d records acknowledged and there once, in order; transactions: %d committed, %d aborted, %d in doubt, each whole or not there; "+
		"%d commits of offsets, none went back; %d records consumed by groups, none left out; %d topics made, changed and deleted, all as answered",
		c.records.Load(), c.committed.Load(), c.aborted.Load(), c.doubtful.Load(), c.commits.Load(), c.consumed.Load(), c.topics.Load())
}

// everything is all kinds of load at once.
func everything(w *world) []worker {
	kept := newSequences(w, "kept", 4, 2, false, "segment.bytes", "65536")
	aged := newSequences(w, "aged", 2, 1, true, "segment.bytes", "16384", "retention.bytes", "65536")
	return []worker{kept, aged, newTail(kept), newMembers(kept, "classic"), newMembers(kept, "next", kgo.ServerSideBalancer()),
		&keyed{w: w}, &plain{w: w}, &transactions{w: w, id: "x0"}, &transactions{w: w, id: "x1"}, &commits{w: w}, &births{w: w}}
}

// add adds what happened in another world.
func (c *counts) add(o *counts) {
	c.records.Add(o.records.Load())
	c.committed.Add(o.committed.Load())
	c.aborted.Add(o.aborted.Load())
	c.doubtful.Add(o.doubtful.Load())
	c.commits.Add(o.commits.Load())
	c.consumed.Add(o.consumed.Load())
	c.topics.Add(o.topics.Load())
}

// newWorld makes the topics and starts the load.
func newWorld(t testing.TB, addr string, workers func(*world) []worker) *world {
	t.Helper()
	w := &world{t: t, addr: addr}
	w.life, w.end = context.WithCancel(context.Background())
	t.Cleanup(func() { w.end(); w.running.Wait() })
	w.workers = workers(w)
	var ctx context.Context
	ctx, w.stop = context.WithCancel(w.life)
	for _, each := range w.workers {
		w.create(each.topics()...)
	}
	for _, each := range w.workers {
		w.running.Go(func() { each.run(ctx) })
	}
	return w
}

// finish ends the load and checks what the broker holds.
func (w *world) finish() {
	w.t.Helper()
	w.stop()
	w.running.Wait()
	for _, each := range w.workers {
		if w.life.Err() != nil {
			break
		}
		each.check(w.life)
	}
	w.end()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// fail says what is wrong and ends the world.
func (w *world) fail(format string, args ...any) {
	if w.life.Err() == nil {
		w.t.Errorf(format, args...)
	}
	w.end()
}

// failed tells whether the world has ended before its time.
func (w *world) failed() bool { return w.life.Err() != nil }

// client is one that waits for the broker to come back.
func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.RetryBackoffFn(func(int) time.Duration { return 15 * time.Millisecond }), kgo.RequestRetries(100_000), kgo.RetryTimeout(patience),
		kgo.MetadataMinAge(15 * time.Millisecond), kgo.DialTimeout(2 * time.Second), kgo.MaxBufferedRecords(300), kgo.UnknownTopicRetries(-1),
		kgo.FetchMaxWait(100 * time.Millisecond), kgo.StopProducerOnDataLossDetected(), kgo.WithContext(w.life)}, opts...)...)
	if err != nil {
		panic(err) // an option that cannot be
	}
	return cl
}

// dial connects by hand; it tries until the broker is there. Nil: the world has ended.
func (w *world) dial(ctx context.Context) *kafka.Conn {
	until := time.Now().Add(patience)
	for ctx.Err() == nil {
		conn, err := kafka.Config{DialTimeout: 5 * time.Second, RequestTimeout: patience}.Dial(ctx, w.addr)
		if err == nil {
			return conn
		}
		if time.Now().After(until) {
			w.fail("connecting: %v", err)
			return nil
		}
		rest(ctx, 10*time.Millisecond)
	}
	return nil
}

// rest lets time pass where there is no condition to wait for, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// wait waits until ok.
func (w *world) wait(what string, ok func() bool) bool {
	for until := time.Now().Add(patience); !ok(); {
		if time.Now().After(until) {
			w.fail("%s: not within %s", what, patience)
		}
		if w.failed() {
			return false
		}
		rest(w.life, 5*time.Millisecond)
	}
	return true
}

// create makes topics.
func (w *world) create(topics ...kmsg.CreateTopicsRequestTopic) {
	if len(topics) == 0 {
		return
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 30_000, topics
	conn := w.dial(w.life)
	if conn == nil {
		return
	}
	defer conn.Close()
	req.SetVersion(5)
	resp, err := conn.Call(w.life, req)
	if err != nil {
		w.fail("creating topics: %v", err)
		return
	}
	for _, topic := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			w.fail("creating topic %s: %v", topic.Topic, err)
		}
	}
}

// topic is one to be made, with settings NAME, VALUE, ...
func topic(name string, partitions int32, settings ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(settings); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = settings[i], &settings[i+1]
		t.Configs = append(t.Configs, c)
	}
	return t
}

// endMark is the value of the last record that check puts into a partition.
const endMark = "end"

// read calls f with each record of a topic that a fresh reader gets, partition by partition in order.
func (w *world) read(ctx context.Context, topic string, partitions int32, f func(*kgo.Record), opts ...kgo.Opt) {
	from := map[int32]kgo.Offset{}
	var marks []*kgo.Record
	for p := range partitions {
		from[p] = kgo.NewOffset().AtStart()
		marks = append(marks, &kgo.Record{Topic: topic, Partition: p, Key: []byte(endMark), Value: []byte(endMark)})
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cl := w.client(append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))...)
	defer cl.Close()
	if err := cl.ProduceSync(ctx, marks...).FirstErr(); err != nil {
		w.fail("marking the end of %s: %v", topic, err)
		return
	}
	last := map[int32]int64{}
	for left := partitions; left > 0; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.fail("reading %s: %v, with %d partitions left", topic, err, left)
			return
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at, ok := last[r.Partition]; ok && r.Offset <= at {
				w.fail("reading %s-%d: offset %d comes after %d", topic, r.Partition, r.Offset, at)
			}
			last[r.Partition] = r.Offset
			if string(r.Value) == endMark {
				left--
				return
			}
			f(r)
		})
	}
}
