package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/loghaul/loghaul/internal/ledger"
)

// book is the account of one file as the agent has it now.
func (r *running) book(path string) (out []ledger.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.running {
		return nil
	}
	for _, g := range r.journal.Generations("web_log") {
		if strings.HasSuffix(g.Path, path) {
			out = append(out, books{r.Agent}.entry(g))
		}
	}
	return out
}

func TestTheAccountSaysWhatBecameOfEveryByte(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1})
	h.write("a.log", "old line\n")
	h.input("web", "web_log", "*.log", `"start":"end","drop":["^debug"],"max_line_bytes":20,"long_lines":"truncate"`)
	r := h.start()
	h.until(func() bool { return len(r.book("a.log")) == 1 }, func() string { return "the file in the account" })
	h.write("a.log", "one\ndebug two\n"+strings.Repeat("x", 50)+"\ndebug end\nhalf a li")
	h.until(func() bool { b := r.book("a.log"); return len(b) == 1 && b[0].Acked == 9+4+10+51+10 }, func() string { return fmt.Sprintf("all of it acknowledged: %+v", r.book("a.log")) })
	want := ledger.Skipped{Filters: 20, LongLines: 31, Start: 9}
	h.until(func() bool { return r.book("a.log")[0].Waiting == 9 }, func() string { return fmt.Sprintf("the half line waits: %+v", r.book("a.log")) })
	if b := r.book("a.log")[0]; b.From != 9 || b.Skipped != want || b.Tail != 41 || b.Lost != 0 || b.Ended {
		t.Errorf("the account says %+v", b)
	}
	st := r.Status()
	if len(st.Streams) != 1 || st.Streams[0].Skipped != want.Total() || st.Streams[0].Lag != 9 || st.Totals.SkippedBytes != 51 || st.Inputs[0].LagBytes != 9 {
		t.Errorf("the status says %+v of the file and %+v in all", st.Streams, st.Totals)
	}
	r.stop()

	// Another life knows the same, and a truncated file is another generation.
	r = h.start()
	h.until(func() bool { return len(r.book("a.log")) == 1 && r.book("a.log")[0].Skipped == want }, func() string { return fmt.Sprintf("%+v", r.book("a.log")) })
}

func TestMetricsTellOfEveryInputAndState(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1, "other": 1})
	reg := prometheus.NewRegistry()
	h.change = func(c *Config) { c.Registry = reg }
	h.lines("a.log", 0, 10)
	h.write("b.txt", "waits")
	h.write("c.txt", "one\n")
	h.input("web", "web_log", "*.log", `"drop":["line 3"]`)
	h.input("texts", "other", "*.txt", "")
	h.input("idle", "other", "*.none", `"paused":true`)
	r := h.start()
	value := func(name string, labels ...string) float64 { return gathered(t, reg, name, labels...) }
	h.until(func() bool {
		return value("input_source_bytes_acknowledged_total", "input", "web") == 9*13 && value("input_source_bytes_acknowledged_total", "input", "texts") == 4
	}, func() string { return "every line acknowledged" })
	h.until(func() bool {
		return value("streams", "state", "current") == 2 && value("streams", "state", "behind") == 1
	}, func() string { return "two files at rest" })
	for what, want := range map[string]float64{"inputs state APPLIED": 2, "inputs state PAUSED": 1, "inputs state FAILED": 0, "input_streams input texts": 2, "input_streams input idle": 0,
		"input_lag_bytes input texts": 5, "input_lag_bytes input web": 0, "lag_bytes": 5, "skipped_bytes_total reason filters": 13} {
		f := strings.Fields(what)
		if got := value(f[0], f[1:]...); got != want {
			t.Errorf("%s is %g, want %g", what, got, want)
		}
	}
	for what, least := range map[string]float64{"batch_size unit records": 2, "journal_seconds op begin": 2, "input_lag_seconds input texts": 0} {
		f := strings.Fields(what)
		if got := value(f[0], f[1:]...); got < least {
			t.Errorf("%s is %g, want at least %g", what, got, least)
		}
	}
	h.until(func() bool {
		return value("journal_seconds", "op", "sync") > 0 && value("input_lag_seconds", "input", "texts") > 0.1
	}, func() string { return "a sync, and a lag that grows" })
	r.stop()
}

// gathered is a metric of the agent with these labels; of a histogram its count.
func gathered(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "loghaul_agent_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			fits := len(m.GetLabel()) == len(labels)/2
			for _, l := range m.GetLabel() {
				fits = fits && len(labels) == 2 && l.GetName() == labels[0] && l.GetValue() == labels[1]
			}
			if fits {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return -1
}

func TestManyInputsShareOneSeries(t *testing.T) {
	all := map[string]int{}
	for n := range 250 {
		all[fmt.Sprintf("in-%03d", n)] = 1
	}
	got := bounded(all, func(x, y int) int { return x + y })
	if len(got) != namedInputs+1 || got[otherInputs] != 150 || got["in-000"] != 1 {
		t.Errorf("%d series, of them %d for the others", len(got), got[otherInputs])
	}
}

func TestTheLagOfAFileThatComesOnIsNotItsAge(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 1})
	h.lines("a.log", 0, 1)
	h.input("web", "web_log", "*.log", "")
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 1))
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.mu.streams[streamID{h.logs + "/a.log", "web_log"}]
	s.shown.Lock()
	s.shown.lag, s.shown.calm = 100, false // as if the lane had seen so much more
	s.shown.Unlock()
	at := time.Now()
	for n, want := range []time.Duration{0, 5 * time.Second, 10 * time.Second} {
		if got := s.stand(r.Agent, at.Add(time.Duration(n)*5*time.Second)).behind; got != want {
			t.Errorf("after %d s it is behind for %s, want %s", 5*n, got, want)
		}
	}
	s.shown.Lock()
	s.shown.mark.pos = 0 // as if it had come on since
	s.shown.Unlock()
	if got := s.stand(r.Agent, at.Add(20*time.Second)).behind; got != 0 {
		t.Errorf("it has come on and is behind for %s", got)
	}
}
