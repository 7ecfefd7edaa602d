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
	"github.com/loghaul/loghaul/internal/realkafka"
)

// tiny is as little as each leg can do.
var tiny = bench.Size{
	Name: "tiny", Rounds: 1, Perf: 2, Sarama: 300 * time.Millisecond, Old: 3000, Raw: 4, Small: 200 * time.Millisecond,
	Seen: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Parts: 12, Crash: 4, Spread: 5, Clients: 20, Many: 12,
}

// setup measures this test binary as the program, and no Kafka.
func setup(t *testing.T, legs ...string) bench.Setup {
	t.Helper()
	cfg := config(t, 1)
	return bench.Setup{Program: cfg.Program, Env: cfg.Env, Dir: cfg.Dir, Legs: legs, Kafka: "none", Say: t.Logf}
}

// brokerConfig measures this test binary as the program.
func brokerConfig(t *testing.T, legs ...string) bench.BrokerConfig {
	t.Helper()
	return bench.BrokerConfig{Setup: setup(t, legs...), Size: tiny}
}

// find is the leg of that name and server.
func find(t *testing.T, r bench.BrokerReport, name, server string) bench.BrokerLeg {
	t.Helper()
	i := slices.IndexFunc(r.Legs, func(l bench.BrokerLeg) bool { return l.Name == name && l.Server == server })
	if i < 0 {
		t.Fatalf("no leg %q of %s in %+v", name, server, r.Legs)
	}
	return r.Legs[i]
}

func TestEveryLegIsMeasuredWithoutJava(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some twenty brokers")
	}
	cfg := brokerConfig(t)
	var said []string
	cfg.Say = func(format string, _ ...any) { said = append(said, format) }
	r, err := bench.Broker(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kafka != "" || r.CPUs < 1 || r.Size != "tiny" {
		t.Errorf("the report is of Kafka %q, %d cores, size %q: want no Kafka, a core and tiny", r.Kafka, r.CPUs, r.Size)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "loghaul alone") }) {
		t.Errorf("it said %q, and nothing about being alone", said)
	}
	_, err = os.Stat("/proc/self/status")
	proc := err == nil
	for _, row := range r.Rows {
		if row.Ours == nil && (proc || row.Unit != "MB" && row.Unit != "% of a core") {
			t.Errorf("%s: no figure", row.Name)
		}
		if row.Other != nil && row.Beside != "bare loop" && row.Beside != "bare fdatasync" {
			t.Errorf("%s: a figure of %s, which was not there", row.Name, row.Beside)
		}
	}
	if len(r.Rows) < 20 {
		t.Errorf("%d rows, want those of all legs but Kafka's tools", len(r.Rows))
	}
	if many := find(t, r, "many partitions", "loghaul"); *many.Records != 12 || *many.ReadyMS <= 0 {
		t.Errorf("12 partitions came out as %+v", many)
	}
	if killed := find(t, r, "many partitions, after kill -9", "loghaul"); *killed.Records != 24 || *killed.ReadyMS <= 0 {
		t.Errorf("12 partitions came out of kill -9 as %+v", killed)
	}
	if in := find(t, r, "raw in, 64 KiB", "loghaul"); *in.MBPerS <= 0 || *in.LinesPerS <= 0 || proc && *in.PeakRSSMB < 5 {
		t.Errorf("the leg of batches built by hand is %+v", in)
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestARealKafkaTakesItsTurn(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real Kafka and its tools")
	}
	cfg := brokerConfig(t, "perf-127")
	cfg.Kafka, cfg.KafkaHeap = realkafka.Jars(t, realkafka.V4), "256m"
	r, err := bench.Broker(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kafka != string(realkafka.V4) {
		t.Errorf("Kafka %q was beside it, want %s", r.Kafka, realkafka.V4)
	}
	for _, name := range []string{"perf in, 127 B", "perf out, 127 B"} {
		for _, server := range []string{"loghaul", "kafka"} {
			if l := find(t, r, name, server); l.LinesPerS == nil || *l.LinesPerS <= 0 || *l.MBPerS <= 0 {
				t.Errorf("%s of %s: %+v", name, server, l)
			}
		}
	}
	for _, row := range r.Rows {
		if row.Name == "producer-perf 127 B" && (row.Ratio == nil || row.Met == nil || *row.Met != (*row.Ratio >= 1)) {
			t.Errorf("the row of producer-perf is %+v, want a ratio and a verdict that agree", row)
		}
	}
}

func TestALegThatFailsLeavesTheOthers(t *testing.T) {
	cfg := brokerConfig(t, "seen", "many")
	cfg.Env = append(cfg.Env, "LOGHAUL_SET=message.max.bytes=1000") // too little for one of them
	r, err := bench.Broker(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "measuring seen: loghaul: sending to bench-0: MESSAGE_TOO_LARGE") || !strings.Contains(err.Error(), "it said last") {
		t.Errorf("Broker = %v, want the leg, what was done, and what the broker said", err)
	}
	if many := find(t, r, "many partitions", "loghaul"); *many.Records != 12 {
		t.Errorf("the other leg is %+v", many)
	}
	measured := slices.DeleteFunc(slices.Clone(r.Rows), func(row bench.Row) bool { return row.Ours == nil })
	if len(measured) != 7 {
		t.Errorf("%d rows with a figure, want the seven of the leg that was measured: %+v", len(measured), measured)
	}
}

func TestAnInterruptEndsTheServers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := brokerConfig(t, "small", "seen")
	cfg.Size.Seen = time.Hour
	cfg.Say = func(format string, args ...any) {
		if strings.HasPrefix(format, "%s, round") && args[0] == "seen" {
			time.AfterFunc(300*time.Millisecond, cancel)
		}
	}
	r, err := bench.Broker(ctx, cfg)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Broker = %v after its context ended", err)
	}
	if len(r.Rows) != 2 {
		t.Errorf("%d rows, want those of the leg before the interrupt: %+v", len(r.Rows), r.Rows)
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestAWrongConfigurationNamesEachComplaint(t *testing.T) {
	_, err := bench.Broker(t.Context(), bench.BrokerConfig{Setup: bench.Setup{Legs: []string{"swim"}}})
	for _, want := range []string{"Program", "Size", "Say", "Legs (swim) must be of perf-127"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Broker = %v, want a complaint about %s", err, want)
		}
	}
	cfg := brokerConfig(t)
	cfg.Kafka = t.TempDir()
	if _, err := bench.Broker(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "--kafka "+cfg.Kafka) {
		t.Errorf("Broker with an empty folder for Kafka = %v, want it named", err)
	}
}
