package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cluster in memory with one topic, a sink and a group that a test can make fail.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	sent    *kgo.Client
	sink    *fakeSink
	group   *fakeGroup
	fetcher *Fetcher
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(partitions, "web_log"))
	if err != nil {
		t.Fatalf("starting the cluster: %v", err)
	}
	t.Cleanup(cluster.Close)
	w := &world{t: t, cluster: cluster, sink: newFakeSink(), group: newFakeGroup()}
	w.sent, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sent.Close)
	w.fetcher = NewFetcher(FetchConfig{Cluster: w, Portion: NewBudget(64 << 20).Join(), MaxWait: 200 * time.Millisecond})
	w.serve(w.fetcher)
	return w
}

// serve runs a fetcher until the test ends.
func (w *world) serve(f *Fetcher) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
}

func (w *world) Leader(_ context.Context, topic string, partition int32) (string, error) {
	info := w.cluster.PartitionInfo(topic, partition)
	if info == nil {
		return "", errors.New("unknown partition")
	}
	return w.addr(info.Leader), nil
}

func (w *world) addr(node int32) string { return w.cluster.ListenAddrs()[node] }

func (w *world) Forget(string, int32) {}

func (w *world) Dial(ctx context.Context, addr string) (*kafka.Conn, error) {
	return kafka.Config{}.Dial(ctx, addr)
}

func (w *world) Start(context.Context, string, int32) (record.Offset, error)    { return 0, nil }
func (w *world) Earliest(context.Context, string, int32) (record.Offset, error) { return 0, nil }

func (w *world) produce(partition int32, first, last int) {
	w.t.Helper()
	var records []*kgo.Record
	for i := first; i < last; i++ {
		records = append(records, &kgo.Record{Topic: "web_log", Partition: partition, Value: []byte(lineOf(partition, i))})
	}
	if err := w.sent.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatalf("producing: %v", err)
	}
}

func lineOf(partition int32, i int) string { return fmt.Sprintf("%d line %06d", partition, i) }

// working is a Worker that a test started.
type working struct {
	*Worker
	cancel context.CancelFunc
	ended  chan error
}

func (w *world) work(partition int32, change ...func(*Config)) *working {
	w.t.Helper()
	cfg := Config{
		Topic: "web_log", Partition: partition, Sink: w.sink, Fetcher: w.fetcher, Commits: w.group, Origins: w,
		Limits: Limits{Records: 100, Bytes: 1 << 20, Age: 5 * time.Millisecond}, Owner: "web-1",
	}
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &working{Worker: New(cfg), cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- r.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		<-r.Done()
	})
	return r
}

// drain asks for a drain and returns what Run said.
func (r *working) drain(t *testing.T) error {
	t.Helper()
	r.Drain()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the worker did not drain within 20 s")
		return nil
	}
}

func eventually(t *testing.T, want string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s still not: %s", want)
		}
		<-tick.C
	}
}

// fakeSink keeps lines in memory.
type fakeSink struct {
	mu struct {
		sync.Mutex
		lines    map[int32][]string
		next     map[int32]record.Offset
		fail     error
		assigned []sink.Assignment
		writes   int
		largest  int
	}
	gate chan struct{} // a Write takes one token; closed: all pass
}

func newFakeSink() *fakeSink {
	s := &fakeSink{gate: make(chan struct{})}
	close(s.gate)
	s.mu.lines, s.mu.next = map[int32][]string{}, map[int32]record.Offset{}
	return s
}

func (s *fakeSink) Assign(_ context.Context, a sink.Assignment) (record.Offset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.assigned = append(s.mu.assigned, a)
	return a.Start, s.mu.fail
}

func (s *fakeSink) Write(ctx context.Context, b sink.Batch) error {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.writes++
	if s.mu.fail != nil {
		return s.mu.fail
	}
	if next, ok := s.mu.next[b.Partition]; ok && next != b.First {
		return sink.Stop(fmt.Errorf("batch begins at %d, the one before ended at %d", b.First, next))
	}
	s.mu.next[b.Partition] = b.Next
	s.mu.largest = max(s.mu.largest, len(b.Records))
	for _, r := range b.Records {
		s.mu.lines[b.Partition] = append(s.mu.lines[b.Partition], string(r.Value))
	}
	return nil
}

func (s *fakeSink) Revoke(context.Context, string, int32) error { return nil }
func (s *fakeSink) Close() error                                { return nil }

func (s *fakeSink) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.fail = err
}

func (s *fakeSink) count(partition int32) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.lines[partition])
}

func (s *fakeSink) wantLines(t *testing.T, partition int32, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d lines stored", n), func() bool { return s.count(partition) >= n })
	s.mu.Lock()
	defer s.mu.Unlock()
	want := make([]string, n)
	for i := range n {
		want[i] = lineOf(partition, i)
	}
	if !slices.Equal(s.mu.lines[partition], want) {
		t.Fatalf("partition %d holds %d lines, want %d in order, each once", partition, len(s.mu.lines[partition]), n)
	}
}

// fakeGroup keeps commits in memory, and every one that was ever made.
type fakeGroup struct {
	mu struct {
		sync.Mutex
		commits map[int32]Commit
		all     []record.Offset
		fail    error
		flying  int
	}
	gate chan struct{} // a Commit takes one token; closed: all pass
}

func newFakeGroup() *fakeGroup {
	g := &fakeGroup{gate: make(chan struct{})}
	close(g.gate)
	g.mu.commits = map[int32]Commit{}
	return g
}

func (g *fakeGroup) Fetch(_ context.Context, _ string, partition int32) (Commit, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.mu.commits[partition]; ok {
		return c, nil
	}
	return Commit{Offset: sink.NoOffset}, nil
}

func (g *fakeGroup) Commit(ctx context.Context, _ string, partition int32, c Commit) error {
	g.mu.Lock()
	g.mu.flying++
	flying := g.mu.flying
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.mu.flying--
		g.mu.Unlock()
	}()
	if flying > 1 {
		return fmt.Errorf("%d commits of one partition are in flight", flying)
	}
	select {
	case <-g.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.fail != nil {
		return g.mu.fail
	}
	g.mu.commits[partition] = c
	g.mu.all = append(g.mu.all, c.Offset)
	return nil
}

func (g *fakeGroup) failWith(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.fail = err
}

func (g *fakeGroup) offset(partition int32) record.Offset {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.commits[partition].Offset
}
