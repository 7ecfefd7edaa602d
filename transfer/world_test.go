package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// sarama's metrics library keeps one ticking goroutine for the life of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// world is a cluster with topics in memory, and sinks' values that a test puts.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	brokers []string
	sinks   *etcdconf.Memory
	out     string
	sent    *kgo.Client
}

// newWorld makes a cluster with the given topics, each with this many partitions.
func newWorld(t *testing.T, partitions int32, topics ...string) *world {
	t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(2), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}
	if len(topics) > 0 {
		opts = append(opts, kfake.SeedTopics(partitions, topics...))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatalf("starting the cluster: %v", err)
	}
	w := &world{t: t, sinks: etcdconf.NewMemory(etcdconf.KindSink), out: t.TempDir()}
	w.connect(cluster)
	t.Cleanup(func() {
		w.sent.Close()
		cluster.Close()
	})
	return w
}

// connect makes cluster the one to produce to and to start transfers with.
func (w *world) connect(cluster *kfake.Cluster) {
	w.t.Helper()
	w.cluster, w.brokers = cluster, cluster.ListenAddrs()
	w.reconnect()
}

// reconnect makes a producer that knows nothing of before.
func (w *world) reconnect() {
	w.t.Helper()
	if w.sent != nil {
		w.sent.Close()
	}
	var err error
	w.sent, err = kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		w.t.Fatalf("making a producer: %v", err)
	}
}

// growTo gives a topic more partitions.
func (w *world) growTo(topic string, partitions int) {
	w.t.Helper()
	if _, err := kadm.NewClient(w.sent).UpdatePartitions(w.t.Context(), partitions, topic); err != nil {
		w.t.Fatalf("growing %s: %v", topic, err)
	}
	w.reconnect()
}

// produce writes the lines from first up to but not including last into a partition.
func (w *world) produce(topic string, partition int32, first, last int) {
	w.t.Helper()
	var records []*kgo.Record
	for i := first; i < last; i++ {
		records = append(records, &kgo.Record{
			Topic: topic, Partition: partition, Key: []byte("web-1:/var/log/a.log"), Value: []byte(lineOf(topic, partition, i)),
			Headers: []kgo.RecordHeader{{Key: "pos", Value: []byte("0000abcd:12+34")}},
		})
	}
	if err := w.sent.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatalf("producing to %s/%d: %v", topic, partition, err)
	}
}

func lineOf(topic string, partition int32, i int) string {
	return fmt.Sprintf("%s %d line %07d", topic, partition, i)
}

// running is a transfer that a test started.
type running struct {
	*Transfer
	stop func() // asks it to drain and waits
}

// run starts a transfer and waits until it is ready; it is stopped at the test's end at the latest.
func (w *world) run(change ...func(*Config)) *running {
	w.t.Helper()
	cfg := Config{
		Data: filepath.Join(w.t.TempDir(), "data"), Host: "web-1", Sinks: w.sinks, OutRoot: w.out,
		Kafka: kafka.Config{Brokers: w.brokers}, Logger: testLogger(w.t),
	}
	for _, c := range change {
		c(&cfg)
	}
	tr, err := New(cfg)
	if err != nil {
		w.t.Fatalf("making a transfer: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	var once sync.Once
	r := &running{Transfer: tr, stop: func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				w.t.Errorf("the transfer ended with %v, want a clean drain", err)
			}
		})
	}}
	w.t.Cleanup(r.stop)
	select {
	case <-tr.Ready():
	case <-time.After(10 * time.Second):
		w.t.Fatal("the transfer is not ready after 10 s")
	}
	return r
}

// eventually waits for a condition; it fails with what was wanted.
func eventually(t *testing.T, want string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not: %s", want)
		}
		<-tick.C
	}
}

// stored are all lines in the files below out, file after file in the order of their names; names with a dot in front
// are not output.
func (w *world) stored() []string { return w.storedBelow(".") }

// storedBelow is stored for one folder of the output.
func (w *world) storedBelow(dir string) []string {
	w.t.Helper()
	var lines []string
	err := filepath.WalkDir(filepath.Join(w.out, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // renamed meanwhile
		}
		if err != nil {
			return err
		}
		if text := strings.TrimSuffix(string(b), "\n"); text != "" {
			lines = append(lines, strings.Split(text, "\n")...)
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("reading the output: %v", err)
	}
	return lines
}

// wantLines waits until exactly the lines 0 to n of each partition are stored, each once.
func (w *world) wantLines(topic string, partitions int32, n int) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d lines of %s stored", n*int(partitions), topic), func() bool {
		return len(w.storedOf(topic)) >= n*int(partitions)
	})
	got := w.storedOf(topic)
	var want []string
	for p := range partitions {
		for i := range n {
			want = append(want, lineOf(topic, p, i))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("stored %d lines of %s, want %d, each once; first difference: %s", len(got), topic, len(want), firstDifference(got, want))
	}
}

func (w *world) storedOf(topic string) []string {
	return slices.DeleteFunc(w.stored(), func(l string) bool { return !strings.HasPrefix(l, topic+" ") })
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("got %q, want %q", got[i], want[i])
		}
	}
	return "one is longer"
}

// route is the status of one topic of one sink; the zero value when there is none.
func (r *running) route(sink, topic string) etcdconf.RouteStatus {
	for _, s := range r.Status().Routes {
		if s.Sink == sink && s.Topic == topic {
			return s
		}
	}
	return etcdconf.RouteStatus{}
}

// testLogger writes to the test's log.
func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimSuffix(p, []byte("\n"))))
	return len(p), nil
}
