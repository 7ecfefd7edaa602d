package transfer

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
)

func sinkOf(topics string) string {
	return fmt.Sprintf(`{"type":"file","topics":[%s],"batch":{"age":"20ms"},"path":"{topic}/{partition}.log"}`, topics)
}

func TestRoutesComeChangeAndGoWithoutTouchingOthers(t *testing.T) {
	w := newWorld(t, 1, "web_log", "app_log")
	w.sinks.Put("steady", sinkOf(`"web_log"`))
	tr := w.run()
	w.produce("web_log", 0, 0, 10)
	w.wantLines("web_log", 1, 10)
	generation := func() int32 {
		routes, _ := tr.mu.slots.routes()
		for _, r := range routes {
			if r.value.Name == "steady" {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.mu.who.generation
			}
		}
		return -1
	}
	before := generation()

	began := time.Now()
	w.sinks.Put("new", sinkOf(`"app_log"`))
	w.produce("app_log", 0, 0, 10)
	eventually(t, "the new route runs", func() bool { return tr.route("new", "app_log").State == etcdconf.StateRunning })
	t.Logf("the new route ran after %v", time.Since(began))
	w.wantLines("app_log", 1, 10)

	changed := w.sinks.Put("new", `{"type":"file","topics":["app_log"],"batch":{"age":"20ms"},"path":"moved/{topic}/{partition}.log"}`)
	eventually(t, "the changed value runs", func() bool {
		r := tr.route("new", "app_log")
		return r.Revision == changed && r.State == etcdconf.StateRunning
	})
	w.produce("app_log", 0, 10, 20)
	w.wantLines("app_log", 1, 20)
	if n := len(w.storedBelow("moved")); n != 10 {
		t.Errorf("the changed path got %d lines, want 10", n)
	}

	w.sinks.Delete("new")
	eventually(t, "the route is gone", func() bool { return tr.route("new", "app_log").Sink == "" })
	w.produce("app_log", 0, 20, 30)
	w.produce("web_log", 0, 10, 20)
	w.wantLines("web_log", 1, 20)
	w.wantLines("app_log", 1, 20)
	if after := generation(); after != before {
		t.Errorf("the steady route joined again: generation %d became %d", before, after)
	}

	w.sinks.Put("new", sinkOf(`"app_log"`))
	w.wantLines("app_log", 1, 30)
}

func TestABadValueLeavesTheLastGoodOneRunning(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", sinkOf(`"web_log"`))
	tr := w.run()
	w.produce("web_log", 0, 0, 10)
	w.wantLines("web_log", 1, 10)
	w.sinks.Put("out", `{"type":"file","topics":["web_log"],"pathh":"x"}`)
	eventually(t, "FAILED is shown with the field", func() bool {
		s := tr.route("out", "web_log")
		return s.State == etcdconf.StateFailed && strings.Contains(s.Error, "pathh")
	})
	w.produce("web_log", 0, 10, 20)
	w.wantLines("web_log", 1, 20)
	w.sinks.Put("out", sinkOf(`"web_log"`))
	eventually(t, "RUNNING again", func() bool { return tr.route("out", "web_log").State == etcdconf.StateRunning })
}

func TestValuesThatCannotBeServedAreRefusedWithASentence(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	for value, want := range map[string]string{
		`{"type":"file","topics":["web_log"],"process":[{"parse":"nginx"}]}`: "knows no steps yet",
		`{"type":"kafka","topics":["web_log"]}`:                              "not known here",
		`{"type":"file","topics":["~web_("]}`:                                "topics",
		`{"type":"file","topics":["web_log"],"path":"/etc/passwd"}`:          "--out-root",
	} {
		w.sinks.Put("bad", value)
		tr := w.run()
		eventually(t, want, func() bool {
			s := tr.Status().Routes
			return len(s) == 1 && s[0].State == etcdconf.StateFailed && strings.Contains(s[0].Error, want)
		})
		tr.stop()
	}
}

func TestAPausedSinkReadsNothingAndKeepsItsPlace(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", fileSink)
	tr := w.run()
	w.produce("web_log", 0, 0, 10)
	w.wantLines("web_log", 1, 10)
	w.sinks.Put("out", `{"type":"file","topics":["web_log"],"batch":{"age":"20ms"},"paused":true}`)
	eventually(t, "PAUSED", func() bool { return tr.route("out", "web_log").State == etcdconf.StatePaused })
	w.produce("web_log", 0, 10, 20)
	w.sinks.Put("out", fileSink)
	w.wantLines("web_log", 1, 20)
}

func TestATopicThatIsNotThereYetIsWaitedFor(t *testing.T) {
	w := newWorld(t, 1)
	w.sinks.Put("out", sinkOf(`"web_log","app_log"`))
	tr := w.run()
	eventually(t, "the wait is shown", func() bool {
		s := tr.route("out", "web_log")
		return s.State == etcdconf.StateApplying && strings.Contains(s.Error, "does not exist yet")
	})
	for _, topic := range []string{"web_log", "app_log"} { // one after the other: the second joins a running route
		if err := w.cluster.CreateTopic(topic, 1, nil); err != nil {
			t.Fatal(err)
		}
		w.produce(topic, 0, 0, 10)
		w.wantLines(topic, 1, 10)
	}
}

func TestNewPartitionsAndTopicsOfAPatternArePickedUpButNoDeadLetters(t *testing.T) {
	w := newWorld(t, 1, "web_a")
	w.sinks.Put("out", sinkOf(`"~web_.*"`))
	w.run()
	w.produce("web_a", 0, 0, 10)
	w.wantLines("web_a", 1, 10)
	for _, topic := range []string{"web_b.dlq", "web_b", "other"} {
		if err := w.cluster.CreateTopic(topic, 2, nil); err != nil {
			t.Fatal(err)
		}
		w.produce(topic, 0, 0, 10)
		w.produce(topic, 1, 0, 10)
	}
	w.wantLines("web_b", 2, 10)
	w.growTo("web_a", 3)
	w.produce("web_a", 1, 0, 10)
	w.produce("web_a", 2, 0, 10)
	w.wantLines("web_a", 3, 10)
	if n := len(w.storedOf("web_b.dlq")) + len(w.storedOf("other")); n != 0 {
		t.Errorf("%d lines of topics that the pattern must not match", n)
	}
}

// start: end leaves out what was there when the sink was first applied, and nothing that came later, whether the
// transfer ran then or not (rule 24).
func TestStartAtTheEndHoldsForPartitionsThatExistedThen(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.produce("web_log", 0, 0, 10)
	value := `{"type":"file","topics":["~web_.*"],"start":"end","batch":{"age":"20ms"}}`
	w.sinks.Put("out", value)
	data := t.TempDir()
	tr := w.run(func(c *Config) { c.Data = data })
	eventually(t, "running", func() bool { return tr.route("out", "web_log").State == etcdconf.StateRunning })
	tr.stop()
	w.produce("web_log", 0, 10, 20)
	if err := w.cluster.CreateTopic("web_new", 1, nil); err != nil {
		t.Fatal(err)
	}
	w.produce("web_new", 0, 0, 10)
	w.run(func(c *Config) { c.Data = data })
	w.wantLines("web_new", 1, 10)
	eventually(t, "ten lines of web_log", func() bool { return len(w.storedOf("web_log")) == 10 })
	if got := w.storedOf("web_log")[0]; got != lineOf("web_log", 0, 10) {
		t.Errorf("the first line is %q, want the first after the end", got)
	}
}

func TestLinesGoToStandardOutput(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", `{"type":"stdout","topics":["web_log"],"batch":{"age":"20ms"}}`)
	var out lockedBuffer
	w.run(func(c *Config) { c.Stdout = &out })
	w.produce("web_log", 0, 0, 3)
	want := lineOf("web_log", 0, 0) + "\n" + lineOf("web_log", 0, 1) + "\n" + lineOf("web_log", 0, 2) + "\n"
	eventually(t, "three lines on standard output", func() bool { return out.String() == want })
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestTwoTransfersDoNotShareAFolder(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	cfg := Config{Data: t.TempDir(), Sinks: w.sinks, OutRoot: w.out, Kafka: kafka.Config{Brokers: w.brokers}}
	first, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	<-first.Ready()
	second, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Data) {
		t.Errorf("the second transfer on %s ended with %v", cfg.Data, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the first transfer ended with %v", err)
	}
}

func TestOnlyTheNamedSinksAreServed(t *testing.T) {
	w := newWorld(t, 1, "web_log", "app_log")
	w.sinks.Put("mine", sinkOf(`"web_log"`))
	w.sinks.Put("other", sinkOf(`"app_log"`))
	w.sinks.Put("broken", `{`)
	tr := w.run(func(c *Config) { c.Only = []string{"mine"} })
	w.produce("web_log", 0, 0, 10)
	w.wantLines("web_log", 1, 10)
	if n := len(tr.Status().Routes); n != 1 {
		t.Errorf("%d routes, want mine alone", n)
	}
}

// silent is a source that never answers.
type silent struct{}

func (silent) Watch(ctx context.Context, _ func([]etcdconf.Value)) error {
	<-ctx.Done()
	return nil
}

func TestTheLastGoodSinksServeWhileTheirSourceIsAway(t *testing.T) {
	w := newWorld(t, 1, "web_log")
	w.sinks.Put("out", fileSink)
	data := t.TempDir()
	tr := w.run(func(c *Config) { c.Data = data })
	w.produce("web_log", 0, 0, 10)
	w.wantLines("web_log", 1, 10)
	tr.stop()
	w.produce("web_log", 0, 10, 20)
	w.run(func(c *Config) { c.Data, c.Sinks = data, silent{} })
	w.wantLines("web_log", 1, 20)
}
