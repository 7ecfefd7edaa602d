package bench_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/deploy/bench"
	"github.com/loghaul/loghaul/internal/cli"
	"go.uber.org/goleak"
)

// asLoghaul makes this test binary behave as the program that is measured.
const asLoghaul = "BENCH_TEST_AS_LOGHAUL"

func TestMain(m *testing.M) {
	if os.Getenv(asLoghaul) != "" {
		os.Exit(cli.Main())
	}
	goleak.VerifyTestMain(m)
}

func config(t *testing.T, lines int) bench.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return bench.Config{Program: self, Env: []string{asLoghaul + "=1"}, Lines: lines, Dir: t.TempDir(), Say: t.Logf}
}

func TestBothLegsAreMeasuredAndChecked(t *testing.T) {
	cfg := config(t, 20_000)
	r, err := bench.Pipe(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Legs) != 2 || r.Bytes != 20_000*170 || r.CPUs < 1 {
		t.Fatalf("the report is %+v, want two legs", r)
	}
	for _, l := range r.Legs {
		if l.LinesPerS <= 0 || l.MBPerS <= 0 || l.CPUSPerGB <= 0 || len(l.Parts) != 2 {
			t.Errorf("%s: %+v, want every figure and two parts", l.Name, l)
		}
		if _, err := os.Stat("/proc/self/status"); err == nil && (l.PeakRSSMB == nil || *l.PeakRSSMB <= 0) {
			t.Errorf("%s: no peak memory on a machine with /proc", l.Name)
		}
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestAProgramThatFailsIsQuoted(t *testing.T) {
	cfg := config(t, 10)
	cfg.Env = append(cfg.Env, "LOGHAUL_LOG_LEVEL=loud")
	_, err := bench.Pipe(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "the broker ended before it was ready") || !strings.Contains(err.Error(), "--log-level loud") {
		t.Errorf("Pipe = %v, want what the program said", err)
	}
}

func TestAnInterruptEndsTheProcesses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := config(t, 1000)
	cfg.Say = func(format string, _ ...any) {
		if strings.HasPrefix(format, "topic to file") {
			cancel()
		}
	}
	if _, err := bench.Pipe(ctx, cfg); err == nil {
		t.Error("Pipe went on after its context ended")
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}
