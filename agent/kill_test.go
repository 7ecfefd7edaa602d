package agent

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
)

// childEnv makes the test's own program an agent: its value is the broker's address.
const childEnv = "LOGHAUL_TEST_AGENT"

// childMain is the agent that gets killed. Its arguments are folders: data and logs.
func childMain() {
	data, logs := os.Args[1], os.Args[2]
	inputs := etcdconf.NewMemory(etcdconf.KindInput)
	inputs.Put("web", fmt.Sprintf(`{"paths":[%q],"topic":"web_log","batch":{"bytes":3000,"age":"1ms"},"drop":["DROP"]}`, filepath.Join(logs, "*.log")))
	a, err := New(Config{Data: data, Host: "web-1", Roots: []string{logs}, Inputs: inputs, Kafka: kafka.Config{Brokers: []string{os.Getenv(childEnv)}},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err == nil {
		err = a.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKillsAtRandomMomentsLoseAndDoubleNothing kills an agent again and again while
// writers write and rotate, and counts at the end.
func TestKillsAtRandomMomentsLoseAndDoubleNothing(t *testing.T) {
	kills := 12
	if n, err := strconv.Atoi(os.Getenv("LOGHAUL_KILLS")); err == nil {
		kills = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	h := newHouse(t, map[string]int32{"web_log": 2})
	names := []string{"a.log", "b.log", "c.log"}
	var want []string
	for _, name := range names {
		h.lines(name, 0, 50)
		want = append(want, numbered(name, 0, 50)...)
	}
	n := 50
	for life := range kills {
		child := h.child()
		if life == 0 { // what was rotated away before anybody followed its path is nobody's
			h.want("web_log", want)
		}
		before := n
		deadline := time.Now().Add(time.Duration(100+r.IntN(250)) * time.Millisecond)
		for time.Now().Before(deadline) {
			for _, name := range names {
				h.lines(name, n, 50)
				want = append(want, numbered(name, n, 50)...)
				h.write(name, "DROP this\n")
			}
			n += 50
			if n-before > 3000 { // enough for one life
				break
			}
			if r.IntN(20) == 0 {
				name := names[r.IntN(len(names))]
				h.rename(name, fmt.Sprintf("%s.%d", name, n))
			}
		}
		child.Process.Kill()
		child.Wait()
	}
	h.change = func(c *Config) { c.Inputs = h.inputs }
	h.input("web", "web_log", "*.log", `"batch":{"bytes":3000,"age":"1ms"},"drop":["DROP"]`)
	last := h.start()
	h.want("web_log", want)
	last.stop()
	h.contiguous("web_log")
	if n := last.client.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles are counted", n)
	}
	if got := h.values("web_log"); len(got) != len(want) || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%d records at the end, want %d", len(got), len(want))
	}
	t.Logf("%d kills, %d lines, each once", kills, len(want))
}

// child starts an agent as a process of its own.
func (h *house) child() *exec.Cmd {
	h.t.Helper()
	c := exec.Command(os.Args[0], h.data, h.logs)
	c.Env = append(os.Environ(), childEnv+"="+h.b.Addr())
	out, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			h.log.Write(append(s.Bytes(), '\n'))
		}
	}()
	return c
}
