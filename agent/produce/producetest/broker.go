// Package producetest is a broker in memory that keeps Kafka's rules of idempotence
// and fails on request: what the tests of sending and of the agent talk to.
package producetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
)

// Broker keeps Kafka's rules of idempotence (reference: ProducerStateEntry) over logs
// in memory, fails on request, and survives its own restarts. kfake serves the rest.
type Broker struct {
	t    testing.TB
	port int

	mu      sync.Mutex
	cluster *kfake.Cluster
	logs    map[Partition]*Log
	// Refuse, when set, is asked before a batch is looked at; 0: no refusal.
	Refuse func(at Partition, h record.Header) int16
	// After, when set, is asked once a batch is stored, or recognised: the error that is
	// answered all the same.
	After func(h record.Header) int16
	// Cut, when set, says whether the connection dies instead of an answer.
	Cut func() bool
	// Asked, when set, is called once it was said who produces to a partition: what
	// happens between that and the next batch.
	Asked func(at Partition)
	// Ended, when set, is called once it was said where a log begins or ends.
	Ended func(at Partition)
	// Away, when set, says which partitions DescribeProducers finds no leader of.
	Away func(at Partition) bool
	// Unknown are requests that the broker has never heard of: it does not list them, and
	// hangs up on them.
	Unknown  []int16
	Describe int16  // what DescribeProducers is refused with
	Read     int16  // what Fetch and ListOffsets are refused with
	Words    string // what is said with a refusal to produce, where the version has room for it
	Requests int    // Produce requests so far
	Widest   int    // partitions in one request
}

// Partition is one partition of one topic.
type Partition struct {
	Topic  string
	Number int32
}

// Log is one partition; change it inside Set only.
type Log struct {
	Batches [][]byte
	Start   record.Offset // what comes before was cut by retention
	Old     []byte        // messages of formats 0 and 1 that stand before the batches
	End     record.Offset
	Hole    [2]record.Offset // what stands there is damaged: nobody reads it
	Behind  record.Offset    // so many records at the end are not in the replicas yet: nobody reads them
	Seen    map[int64]*Producer
}

// Producer is what a partition knows of one producer id.
type Producer struct {
	Epoch int16
	Last  []Stamp // the last five, one after a restart
}

// Stamp is one batch that a partition remembers: its sequences and its offset.
type Stamp struct {
	First, Last int32
	Offset      record.Offset
	When        int64 // the time of its newest record, Unix ms
}

// New starts a broker with these topics and partitions; others are made when they are
// asked for, with two. It stops with the test.
func New(t testing.TB, topics map[string]int32) *Broker {
	t.Helper()
	b := &Broker{t: t, logs: map[Partition]*Log{}}
	b.Start(topics)
	t.Cleanup(func() { b.Stop() })
	return b
}

// Start serves on the port that the broker had before, with the logs that it had.
func (b *Broker) Start(topics map[string]int32) {
	b.t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.ClusterID("A"), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(2)}
	for name, n := range topics {
		opts = append(opts, kfake.SeedTopics(n, name))
	}
	if b.port != 0 {
		opts = append(opts, kfake.Ports(b.port))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		b.t.Fatalf("starting the broker: %v", err)
	}
	_, port, _ := net.SplitHostPort(c.ListenAddrs()[0])
	b.mu.Lock()
	b.cluster = c
	b.port, _ = strconv.Atoi(port)
	b.mu.Unlock()
	c.ControlKey(0, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return b.produce(req.(*kmsg.ProduceRequest))
	})
	c.ControlKey(1, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return b.fetch(req.(*kmsg.FetchRequest)), nil, true
	})
	c.ControlKey(2, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return b.offsets(req.(*kmsg.ListOffsetsRequest)), nil, true
	})
	c.ControlKey(18, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return b.versions(req.(*kmsg.ApiVersionsRequest))
	})
	c.ControlKey(23, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if b.unknown(23) {
			return nil, errCut, true
		}
		return b.epochs(req.(*kmsg.OffsetForLeaderEpochRequest)), nil, true
	})
	c.ControlKey(61, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if b.unknown(61) {
			return nil, errCut, true
		}
		return b.producers(req.(*kmsg.DescribeProducersRequest)), nil, true
	})
}

// Stop closes every connection.
func (b *Broker) Stop() {
	b.mu.Lock()
	c := b.cluster
	b.cluster = nil
	b.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// Restart stops and starts the broker on its port; a clean one remembers the last
// batch of each producer only, as Kafka's does.
func (b *Broker) Restart(topics map[string]int32) {
	b.Stop()
	b.mu.Lock()
	for _, l := range b.logs {
		for _, st := range l.Seen {
			st.Last = st.Last[len(st.Last)-1:]
		}
	}
	b.mu.Unlock()
	b.Start(topics)
}

// Addr is where the broker listens.
func (b *Broker) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

var errCut = errors.New("cut on request")

func (b *Broker) produce(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if req.Version < 7 || req.Version > 8 || req.Acks != -1 || req.TransactionID != nil {
		b.t.Errorf("Produce v%d with acks %d", req.Version, req.Acks)
	}
	b.Requests++
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	wide := 0
	seen := map[string]bool{}
	for _, t := range req.Topics {
		if seen[t.Topic] {
			b.t.Errorf("topic %s stands twice in one request", t.Topic)
		}
		seen[t.Topic] = true
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			wide++
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition = p.Partition
			code, base := b.Append(Partition{Topic: t.Topic, Number: p.Partition}, p.Records)
			if h, err := record.ParseHeader(p.Records); err == nil && code == 0 && b.After != nil {
				if code = b.After(h); code != 0 {
					base = -1
				}
			}
			rp.ErrorCode, rp.BaseOffset = code, int64(base)
			if code != 0 && b.Words != "" {
				rp.ErrorMessage = &b.Words
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	b.Widest = max(b.Widest, wide)
	if b.Cut != nil && b.Cut() {
		return nil, errCut, true
	}
	return resp, nil, true
}

// Append is what a leader does with one batch.
func (b *Broker) Append(at Partition, batch []byte) (int16, record.Offset) {
	h, err := record.ParseHeader(batch)
	if err != nil || !record.CheckCRC(batch) || h.Size() != len(batch) {
		b.t.Errorf("%v: a broken batch: %v", at, err)
		return kerr.CorruptMessage.Code, -1
	}
	if b.Refuse != nil {
		if code := b.Refuse(at, h); code != 0 {
			return code, -1
		}
	}
	l := b.Log(at)
	st := l.Seen[h.ProducerID]
	switch {
	case st == nil:
	case h.ProducerEpoch < st.Epoch:
		return kerr.InvalidProducerEpoch.Code, -1
	case h.ProducerEpoch > st.Epoch:
		if h.BaseSequence != 0 {
			return kerr.OutOfOrderSequenceNumber.Code, -1
		}
		st = nil
	default:
		for _, s := range st.Last {
			if s.First == h.BaseSequence && s.Last == h.LastSequence() {
				return 0, s.Offset
			}
		}
		if record.AddSequence(st.Last[len(st.Last)-1].Last, 1) != h.BaseSequence {
			return kerr.OutOfOrderSequenceNumber.Code, -1
		}
	}
	if st == nil {
		st = &Producer{Epoch: h.ProducerEpoch}
		l.Seen[h.ProducerID] = st
	}
	base := l.End
	st.Last = append(st.Last, Stamp{h.BaseSequence, h.LastSequence(), base, h.MaxTimestamp})
	st.Last = st.Last[max(0, len(st.Last)-5):]
	l.End += record.Offset(h.Count)
	kept := slices.Clone(batch)
	record.Stamp(kept, base, 0)
	l.Batches = append(l.Batches, kept)
	return 0, base
}

// Log is one partition's; for use inside Set.
func (b *Broker) Log(at Partition) *Log {
	l := b.logs[at]
	if l == nil {
		l = &Log{Seen: map[int64]*Producer{}}
		b.logs[at] = l
	}
	return l
}

func (b *Broker) producers(req *kmsg.DescribeProducersRequest) kmsg.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewDescribeProducersResponseTopic()
		rt.Topic = t.Topic
		for _, n := range t.Partitions {
			rp := kmsg.NewDescribeProducersResponseTopicPartition()
			rp.Partition, rp.ErrorCode = n, b.Describe
			at := Partition{Topic: t.Topic, Number: n}
			if b.Away != nil && b.Away(at) {
				rp.ErrorCode = kerr.NotLeaderForPartition.Code
			}
			for id, st := range b.Log(at).Seen {
				a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
				a.ProducerID, a.ProducerEpoch, a.LastSequence = id, int32(st.Epoch), st.Last[len(st.Last)-1].Last
				a.LastTimestamp = st.Last[len(st.Last)-1].When
				rp.ActiveProducers = append(rp.ActiveProducers, a)
			}
			if b.Asked != nil {
				b.Asked(at)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// Values are the values of a partition's records in order.
func (b *Broker) Values(at Partition) []string {
	var out []string
	b.Each(at, func(r *record.Record) { out = append(out, string(r.Value)) })
	return out
}

// Each calls f with every record of a partition in order.
func (b *Broker) Each(at Partition, f func(*record.Record)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var r record.Reader
	for _, batch := range b.Log(at).Batches {
		if err := r.Read(batch, 64<<20, func(rec *record.Record) error {
			f(rec)
			return nil
		}); err != nil {
			b.t.Error(err)
		}
	}
}

// Set changes the broker's fields while nothing is served.
func (b *Broker) Set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// Grow gives a topic more partitions.
func (b *Broker) Grow(topic string, partitions int32) {
	b.t.Helper()
	conn, err := kafka.Config{Brokers: []string{b.Addr()}}.Dial(context.Background(), b.Addr())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, partitions
	req.Topics = append(req.Topics, t)
	resp, err := conn.Call(context.Background(), req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode)
	}
	if err != nil {
		b.t.Fatalf("adding partitions to %s: %v", topic, err)
	}
}
