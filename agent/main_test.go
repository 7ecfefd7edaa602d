package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

func TestMain(m *testing.M) {
	if os.Getenv(sinkEnv) != "" {
		sinkMain()
		return
	}
	if os.Getenv(childEnv) != "" {
		childMain()
		return
	}
	goleak.VerifyTestMain(m)
}

// house is one host of a test: log files, inputs, a broker, an agent's folder.
type house struct {
	t      *testing.T
	logs   string
	data   string
	b      *producetest.Broker
	inputs *etcdconf.Memory
	change func(*Config)
	log    *logBuffer
}

func newHouse(t *testing.T, topics map[string]int32) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, logs: filepath.Join(dir, "logs"), data: filepath.Join(dir, "data"), b: producetest.New(t, topics), inputs: etcdconf.NewMemory(etcdconf.KindInput), log: &logBuffer{}}
	if err := os.MkdirAll(h.logs, 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// input puts an input over these patterns of the logs folder; more is further JSON.
func (h *house) input(name, topic, patterns, more string) {
	var paths []string
	for _, p := range strings.Split(patterns, ",") {
		paths = append(paths, filepath.Join(h.logs, p))
	}
	quoted, err := json.Marshal(paths)
	if err != nil {
		h.t.Fatal(err)
	}
	if more != "" {
		more = "," + more
	}
	h.inputs.Put(name, fmt.Sprintf(`{"paths":%s,"topic":%q%s}`, quoted, topic, more))
}

// write appends text to a log file.
func (h *house) write(name, text string) {
	h.t.Helper()
	f, err := os.OpenFile(filepath.Join(h.logs, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		h.t.Fatal(err)
	}
}

// lines appends n numbered lines, from on.
func (h *house) lines(name string, from, n int) {
	h.t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s line %d\n", name, from+i)
	}
	h.write(name, b.String())
}

func (h *house) rename(from, to string) {
	h.t.Helper()
	if err := os.Rename(filepath.Join(h.logs, from), filepath.Join(h.logs, to)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) config() Config {
	cfg := Config{
		Data: h.data, Host: "web-1", Labels: map[string]string{"tier": "front"}, Roots: []string{h.logs}, Inputs: h.inputs,
		Kafka: kafka.Config{Brokers: []string{h.b.Addr()}}, DrainWait: 5 * time.Second, stuckPause: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	if h.change != nil {
		h.change(&cfg)
	}
	return cfg
}

// running is an agent that runs.
type running struct {
	*Agent
	h      *house
	cancel context.CancelFunc
	done   chan error
	ended  bool
}

func (h *house) start() *running {
	h.t.Helper()
	a, err := New(h.config())
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Agent: a, h: h, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- a.Run(ctx) }()
	h.t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	if r.ended {
		return
	}
	r.ended = true
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			r.h.t.Errorf("the agent ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		r.h.t.Fatalf("the agent does not end; its log:\n%s", r.h.log)
	}
}

// once runs an agent that ends by itself.
func (h *house) once() error {
	h.t.Helper()
	cfg := h.config()
	cfg.Once = true
	a, err := New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = a.Run(ctx)
	if ctx.Err() != nil {
		h.t.Fatalf("the agent does not end by itself; its log:\n%s", h.log)
	}
	return err
}

// values are the values in a topic, partition after partition.
func (h *house) values(topic string) []string {
	var out []string
	for n := range int32(16) {
		out = append(out, h.b.Values(producetest.Partition{Topic: topic, Number: n})...)
	}
	return out
}

// count is how many records a topic holds; it decodes none of them.
func (h *house) count(topic string) (n int) {
	h.b.Set(func() {
		for p := range int32(16) {
			n += int(h.b.Log(producetest.Partition{Topic: topic, Number: p}).End)
		}
	})
	return n
}

// want waits until the topic holds exactly these values, in any order across files.
func (h *house) want(topic string, want []string) {
	h.t.Helper()
	want = slices.Clone(want)
	sort.Strings(want)
	var got []string
	h.until(func() bool { return h.count(topic) >= len(want) }, func() string { return fmt.Sprintf("%d of %d records in %s", h.count(topic), len(want), topic) })
	got = h.values(topic)
	sort.Strings(got)
	if !slices.Equal(got, want) {
		h.t.Fatalf("topic %s holds %d records, want %d: %s", topic, len(got), len(want), difference(got, want))
	}
}

// difference names a few of what is too much or missing in got; both are sorted.
func difference(got, want []string) string {
	n := map[string]int{}
	for _, v := range want {
		n[v]++
	}
	for _, v := range got {
		n[v]--
	}
	var out []string
	for v, k := range n {
		if k != 0 && len(out) < 5 {
			out = append(out, fmt.Sprintf("%q %+d", v, -k))
		}
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func (h *house) until(ok func() bool, what func() string) {
	h.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			h.t.Fatalf("waited in vain: %s; the log:\n%s", what(), h.log)
		}
	}
}

func numbered(name string, from, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("%s line %d", name, from+i))
	}
	return out
}

// contiguous checks that the records of every generation follow each other byte by
// byte, as header pos says.
func (h *house) contiguous(topic string) {
	h.t.Helper()
	byGen := map[line.Generation][]line.Pos{}
	for n := range int32(16) {
		h.b.Each(producetest.Partition{Topic: topic, Number: n}, func(r *record.Record) {
			for _, kv := range r.Headers {
				if string(kv.Key) == line.HeaderPos {
					p, err := line.ParsePos(kv.Value)
					if err != nil {
						h.t.Fatal(err)
					}
					byGen[p.Generation] = append(byGen[p.Generation], p)
				}
			}
		})
	}
	for g, list := range byGen {
		sort.Slice(list, func(i, j int) bool { return list[i].Start < list[j].Start })
		end := line.Position(0)
		for _, p := range list {
			if p.Start-line.Position(p.Skipped) != end {
				h.t.Fatalf("generation %s: a record at %s follows byte %d", g, p, end)
			}
			end = p.End()
		}
	}
}

func (r *running) input(name string) etcdconf.InputStatus {
	for _, in := range r.Status().Inputs {
		if in.Name == name {
			return in
		}
	}
	return etcdconf.InputStatus{}
}

func (r *running) wantState(name string, state etcdconf.State, word string) {
	r.h.t.Helper()
	var st etcdconf.InputStatus
	r.h.until(func() bool {
		st = r.input(name)
		return st.State == state && strings.Contains(st.Error, word)
	}, func() string {
		return fmt.Sprintf("input %s is %s (%s), want %s with %q", name, st.State, st.Error, state, word)
	})
}

// logBuffer holds what the agent logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// count is how often word was logged.
func (l *logBuffer) count(word string) int { return strings.Count(l.String(), word) }

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
