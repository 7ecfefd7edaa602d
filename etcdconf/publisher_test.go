package etcdconf

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// publishing is a publisher that runs.
type publishing struct {
	t    *testing.T
	done chan error
	stop context.CancelFunc
}

func publish(t *testing.T, c *Client, host, instance string, snapshot func() any) *publishing {
	t.Helper()
	p := c.Publisher(AgentKey(host), instance)
	p.every = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	x := &publishing{t: t, done: make(chan error, 1), stop: cancel}
	go func() { x.done <- p.Run(ctx, snapshot) }()
	t.Cleanup(func() {
		cancel()
		<-x.done
	})
	return x
}

// ends waits for the end that want says.
func (x *publishing) ends(want func(error) bool) {
	x.t.Helper()
	select {
	case err := <-x.done:
		x.done <- err
		if !want(err) {
			x.t.Errorf("the publisher ended with: %v", err)
		}
	case <-time.After(20 * time.Second):
		x.t.Fatal("the publisher never ended")
	}
}

func clean(err error) bool { return err == nil }

func says(instance, version string) func() any {
	return func() any { return AgentStatus{Instance: instance, Version: version} }
}

// seen is the one agent there is, as "STATE instance version".
func seen(t *testing.T, c *Client) string {
	t.Helper()
	agents, err := c.Agents(t.Context())
	if err != nil {
		t.Fatalf("reading the agents: %v", err)
	}
	var all []string
	for _, a := range agents {
		all = append(all, fmt.Sprintf("%s %s %s %s", a.Host, a.State, a.Instance, a.Version))
	}
	return strings.Join(all, ",")
}

func becomes(t *testing.T, c *Client, want string) {
	t.Helper()
	eventually(t, "the agents become "+want, func() bool { return seen(t, c) == want })
}

func TestAStatusLivesWithItsProcessAndLeavesWithACleanEnd(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	var version atomic.Value
	version.Store("v1")
	p := publish(t, c, "web/1", "", func() any { return AgentStatus{Instance: "i1", Version: version.Load().(string)} })
	becomes(t, c, "web/1 LIVE i1 v1")
	version.Store("v2")
	becomes(t, c, "web/1 LIVE i1 v2")
	p.stop()
	p.ends(clean)
	if got := seen(t, c); got != "" {
		t.Errorf("after a clean end there is still %s", got)
	}
	leases(t, c, 0)
}

// leases waits until etcd holds this many.
func leases(t *testing.T, c *Client, want int) {
	t.Helper()
	v3, err := c.v3()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the leases are given back", func() bool {
		resp, err := v3.Leases(t.Context())
		return err == nil && len(resp.Leases) == want
	})
}

func TestRestartsAfterKillsDoNotPileUpLeases(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	for n := range 3 {
		line := newWire(t, m.url)
		killed := dial(t, line.url())
		killed.lease = time.Second
		publish(t, killed, "h", "i", says("i", fmt.Sprint(n)))
		becomes(t, c, fmt.Sprintf("h LIVE i %d", n))
		line.setCut(true)
	}
	leases(t, c, 1) // that of the day
}

func TestAnUnchangedStatusIsWrittenOnce(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	v3, err := c.v3()
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	publish(t, c, "h", "i", func() any { asked.Add(1); return AgentStatus{Instance: "i"} })
	eventually(t, "the snapshot is taken again and again", func() bool { return asked.Load() > 10 })
	resp, err := v3.Get(t.Context(), AgentKey("h"))
	if err != nil || len(resp.Kvs) != 1 || resp.Kvs[0].Version != 1 {
		t.Errorf("the status was written %v times (%v), want once", resp.Kvs, err)
	}
}

func TestAnotherLivingInstanceIsRefusedAndNamed(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	publish(t, c, "h", "first", says("first", "v"))
	becomes(t, c, "h LIVE first v")
	second := publish(t, c, "h", "second", says("second", "v"))
	second.ends(func(err error) bool {
		var taken *TakenError
		return errors.As(err, &taken) && taken.Instance == "first" && !taken.Same && strings.Contains(err.Error(), "first") && strings.Contains(err.Error(), AgentKey("h"))
	})
	becomes(t, c, "h LIVE first v")
}

func TestTheSameInstanceTakesOverAtOnceAfterAKill(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	line := newWire(t, m.url)
	killed := dial(t, line.url())
	publish(t, killed, "h", "i", says("i", "before"))
	becomes(t, c, "h LIVE i before")
	line.setCut(true) // as a kill looks from etcd: its lease is still good for ten seconds
	start := time.Now()
	publish(t, c, "h", "i", says("i", "after"))
	becomes(t, c, "h LIVE i after")
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("taking over took %s", took)
	}
}

func TestTwoProcessesWithOneInstanceIdDoNotFight(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	var n atomic.Int64
	first := publish(t, c, "h", "i", func() any { return AgentStatus{Instance: "i", Version: fmt.Sprint(n.Add(1))} })
	eventually(t, "the first publishes", func() bool { return seen(t, c) != "" })
	publish(t, c, "h", "i", says("i", "second"))
	first.ends(func(err error) bool {
		var taken *TakenError
		return errors.As(err, &taken) && taken.Same
	})
	becomes(t, c, "h LIVE i second")
}

func TestAnAgentThatWasKilledIsMissed(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	line := newWire(t, m.url)
	killed := dial(t, line.url())
	killed.lease = time.Second
	publish(t, killed, "h", "i", says("i", "v"))
	becomes(t, c, "h LIVE i v")
	line.setCut(true)
	becomes(t, c, "h LOST i ")
	line.setCut(false) // it was only the network: a new lease is taken
	becomes(t, c, "h LIVE i v")
}

func TestAnEtcdRestartKeepsTheStatus(t *testing.T) {
	t.Parallel()
	m := startEtcd(t)
	c := dial(t, m.url)
	var mu sync.Mutex
	version := "v1"
	publish(t, c, "h", "i", func() any {
		mu.Lock()
		defer mu.Unlock()
		return AgentStatus{Instance: "i", Version: version}
	})
	becomes(t, c, "h LIVE i v1")
	m.stop()
	mu.Lock()
	version = "v2"
	mu.Unlock()
	m.start()
	becomes(t, dial(t, m.url), "h LIVE i v2")
}

func TestAStatusOfAHundredThousandFilesFits(t *testing.T) {
	t.Parallel()
	s := AgentStatus{Instance: "i", Totals: AgentTotals{Streams: 100_000, Inputs: 10_000}}
	for i := range 100_000 {
		s.Streams = append(s.Streams, StreamStatus{Path: fmt.Sprintf("/var/log/%06d.log", i), Lag: int64(i % 1000)})
	}
	s.Streams[50_000].Error = "permission denied " + strings.Repeat("é", 10_000)
	for i := range 10_000 {
		s.Inputs = append(s.Inputs, InputStatus{Name: fmt.Sprintf("input-%05d", i), State: StateApplied, Error: strings.Repeat("x", 900)})
	}
	s.Inputs[7777].State = StateFailed

	c := dial(t, startEtcd(t).url)
	publish(t, c, "h", "i", func() any { return s })
	becomes(t, c, "h LIVE i ")
	agents, err := c.Agents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := agents[0]
	if a.Totals != s.Totals || len(a.Streams) == 0 || len(a.Streams) > 200 || a.Streams[0].Path != "/var/log/050000.log" || a.Streams[1].Lag != 999 || a.Inputs[0].Name != "input-07777" {
		t.Errorf("totals %+v, %d streams, first %.60v, first input %.60v", a.Totals, len(a.Streams), a.Streams[0], a.Inputs[0])
	}
	if len(s.Streams) != 100_000 || s.Streams[1].Lag != 1 {
		t.Error("the agent's own lists were changed")
	}
}

func TestAStatusThatCannotFitIsAnErrorAndNotAWrite(t *testing.T) {
	t.Parallel()
	p := &Publisher{key: "k", instance: "i"}
	if _, err := p.encode(func() any { return map[string]string{"instance": "i", "x": strings.Repeat("x", 2<<20)} }); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("got %v", err)
	}
	if _, err := (&Publisher{key: "k"}).encode(func() any { return AgentStatus{} }); err == nil || !strings.Contains(err.Error(), "instance") {
		t.Errorf("got %v", err)
	}
}

func TestTransfersHaveAStatusToo(t *testing.T) {
	t.Parallel()
	c := dial(t, startEtcd(t).url)
	p := c.Publisher(TransferKey("t1"), "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- p.Run(ctx, func() any {
			return TransferStatus{ID: "t1", Instance: "i", Routes: []RouteStatus{{Sink: "file", Topic: "web_log", State: StateRunning, Partitions: []int32{0}}}}
		})
	}()
	eventually(t, "the transfer is seen", func() bool {
		all, err := c.Transfers(t.Context())
		return err == nil && len(all) == 1 && all[0].State == StateLive && len(all[0].Routes) == 1 && all[0].Routes[0].Sink == "file"
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
