package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		runChild(spec)
	}
	if addr := os.Getenv(crowdEnv); addr != "" {
		dialMany(addr)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// running is a broker that serves a test.
type running struct {
	t      *testing.T
	broker *broker.Broker
	addr   string
	addrs  []string     // of all listeners, NAME://ADDRESS
	stop   func() error // drains and waits
	log    *logLines
}

// start runs a broker on a free port over dir until the test ends, or stop.
func start(t *testing.T, cfg broker.Config) *running {
	t.Helper()
	if cfg.Data == "" {
		cfg.Data = t.TempDir()
	}
	if cfg.Listen == nil {
		cfg.Listen = []string{"127.0.0.1:0"}
	}
	lines := &logLines{}
	options := &slog.HandlerOptions{}
	if cfg.Level != nil {
		options.Level = cfg.Level
	}
	cfg.Logger = slog.New(slog.NewTextHandler(lines, options))
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		cancel()
		t.Fatalf("broker ended before it was ready: %v", err)
	}
	var once sync.Once
	r := &running{t: t, broker: b, addr: b.Addr(), addrs: b.Addrs(), log: lines}
	r.stop = func() (err error) {
		once.Do(func() {
			cancel()
			err = <-ended
		})
		return err
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("broker ended with %v", err)
		}
		if t.Failed() {
			t.Logf("broker's log:\n%s", lines)
		}
	})
	return r
}

// client is a franz-go client of the broker.
func (r *running) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(r.addr), kgo.AllowAutoTopicCreation()}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	return cl
}

// produce sends values one by one to a topic and waits for all.
func (r *running) produce(cl *kgo.Client, topic string, from, to int) {
	r.t.Helper()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "line %d", i)})
	}
	if err := cl.ProduceSync(r.t.Context(), records...).FirstErr(); err != nil {
		r.t.Fatalf("producing lines %d to %d to %s: %v", from, to, topic, err)
	}
}

// consume reads n records from the beginning of a topic with a fresh client.
func (r *running) consume(topic string, n int, opts ...kgo.Opt) []*kgo.Record {
	r.t.Helper()
	cl := r.client(append([]kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, opts...)...)
	defer cl.Close()
	return poll(r.t, cl, n)
}

// poll reads n records.
func poll(t *testing.T, cl *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("consuming: %v with %d of %d records", err, len(got), n)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

// wantLines says what is wrong unless the values are "line 0" to "line n-1" in order.
func wantLines(t *testing.T, records []*kgo.Record, n int) {
	t.Helper()
	if len(records) != n {
		t.Fatalf("got %d records, want %d", len(records), n)
	}
	for i, rec := range records {
		if want := fmt.Sprintf("line %d", i); string(rec.Value) != want {
			t.Fatalf("record %d is %q, want %q", i, rec.Value, want)
		}
	}
}

// logLines gathers what a broker logs.
type logLines struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write takes one line.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is everything so far.
func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// count is the number of lines that hold s.
func (l *logLines) count(s string) int {
	n := 0
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, s) {
			n++
		}
	}
	return n
}

// eventually waits until ok, or fails after ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited ten seconds for %s", what)
		}
		<-tick.C
	}
}
