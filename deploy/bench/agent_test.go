package bench_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/deploy/bench"
)

// littleWork is as little as each leg of an agent's measurement can do.
var littleWork = bench.AgentSize{Name: "tiny", Rounds: 1, Lines: 3000, Nothing: 1, Visible: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Few: 60, Many: 70}

// agentConfig measures this test binary as the program, with nothing beside it.
func agentConfig(t *testing.T, legs ...string) bench.AgentConfig {
	t.Helper()
	return bench.AgentConfig{Setup: setup(t, legs...), Size: littleWork, Rsyslog: "none", Collector: "none"}
}

func TestEveryLegOfTheAgentIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dozen agents and brokers")
	}
	cfg := agentConfig(t)
	r, err := bench.Agent(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kafka != "" || len(r.Beside) != 0 || r.CPUs < 1 || r.Size != "tiny" {
		t.Errorf("the report is of Kafka %q, beside %q, %d cores, size %q: want nothing beside, a core and tiny", r.Kafka, r.Beside, r.CPUs, r.Size)
	}
	_, err = os.Stat("/proc/self/status")
	proc := err == nil
	seconds := map[string]bool{"lines/s": true, "ms": true}
	for _, row := range r.Rows {
		if row.Ours == nil && (proc || seconds[row.Unit]) {
			t.Errorf("%s: no figure", row.Name)
		}
		if row.Other != nil && row.Beside != "one file" {
			t.Errorf("%s: a figure of %s, which was not there", row.Name, row.Beside)
		}
	}
	if len(r.Rows) < 20 {
		t.Errorf("%d rows, want those of all legs but Kafka's", len(r.Rows))
	}
	for _, l := range r.Legs {
		if strings.HasPrefix(l.Name, "append to visible") && (*l.P50MS <= 0 || *l.P99MS < *l.P50MS) {
			t.Errorf("%s: p50 %v ms, p99 %v ms", l.Name, *l.P50MS, *l.P99MS)
		}
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestALegOfTheAgentThatFailsLeavesTheOthers(t *testing.T) {
	cfg := agentConfig(t, "topic", "nothing")
	cfg.Env = append(cfg.Env, "LOGHAUL_MEMORY=1") // of which an agent complains, and nothing else
	r, err := bench.Agent(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "measuring topic: loghaul: the agent ended before it was ready") || !strings.Contains(err.Error(), "Memory (1)") {
		t.Errorf("Agent = %v, want the leg, who failed, and what it said", err)
	}
	if !slices.ContainsFunc(r.Rows, func(row bench.Row) bool { return row.Leg == "file to nothing" && row.Ours != nil }) {
		t.Errorf("the other leg has no figures: %+v", r.Rows)
	}
}

func TestAnInterruptEndsTheAgents(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := agentConfig(t, "nothing", "visible")
	cfg.Size.Visible = time.Hour
	cfg.Say = func(format string, args ...any) {
		if strings.HasPrefix(format, "  %s into %s") {
			time.AfterFunc(300*time.Millisecond, cancel)
		}
	}
	r, err := bench.Agent(ctx, cfg)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Agent = %v after its context ended", err)
	}
	if len(r.Rows) != 3 {
		t.Errorf("%d rows, want those of the leg before the interrupt: %+v", len(r.Rows), r.Rows)
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestAWrongConfigurationOfTheAgentsMeasurementIsNamed(t *testing.T) {
	_, err := bench.Agent(t.Context(), bench.AgentConfig{Setup: bench.Setup{Legs: []string{"swim"}}})
	for _, want := range []string{"Program", "Size", "Say", "Legs (swim) must be of topic"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Agent = %v, want a complaint about %s", err, want)
		}
	}
	for flag, set := range map[string]func(*bench.AgentConfig){
		"--rsyslog /nowhere/rsyslogd":  func(c *bench.AgentConfig) { c.Rsyslog = "/nowhere/rsyslogd" },
		"--collector /nowhere/otelcol": func(c *bench.AgentConfig) { c.Collector = "/nowhere/otelcol" },
	} {
		cfg := agentConfig(t, "nothing")
		set(&cfg)
		if _, err := bench.Agent(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("Agent = %v, want %s named", err, flag)
		}
	}
}
