package agent

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/loghaul/loghaul/etcdconf"
)

const (
	// namedInputs is how many inputs have series of their own: the first by name.
	namedInputs = 100
	// otherInputs stands for the rest. No input can have this name.
	otherInputs = "(others)"
)

func newBatchSizes() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "loghaul", Subsystem: "agent", Name: "batch_size",
		Help: "Acknowledged batches by their records, and by their bytes as they were sent.", Buckets: prometheus.ExponentialBuckets(1, 4, 12)}, []string{"unit"})
}

func newJournalTimes() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "loghaul", Subsystem: "agent", Name: "journal_seconds",
		Help: "Time that the journal took: to begin a batch, which is one write, and to sync.", Buckets: prometheus.ExponentialBuckets(0.00001, 4, 11)}, []string{"op"})
}

func skippedBytes(reason string, v *atomic.Int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "loghaul", Subsystem: "agent", Name: "skipped_bytes_total",
		Help: "Bytes of files that were left out on purpose, by reason.", ConstLabels: prometheus.Labels{"reason": reason}}, func() float64 { return float64(v.Load()) })
}

// journalled is told how long the journal took for something.
func (m *metrics) journalled(op string, took time.Duration) {
	m.journal.WithLabelValues(op).Observe(took.Seconds())
}

// inputCounts are the counters of each input by name. They stay when the input goes.
type inputCounts struct {
	mu   sync.Mutex
	each map[string]*inputCount
}

type inputCount struct{ acked atomic.Int64 }

// of is the counter of an input; those that come when there are very many share one.
func (c *inputCounts) of(name string) *inputCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.each[name] == nil {
		if len(c.each) >= 10*namedInputs {
			name = otherInputs
		}
		if c.each == nil {
			c.each = map[string]*inputCount{}
		}
		if c.each[name] == nil {
			c.each[name] = &inputCount{}
		}
	}
	return c.each[name]
}

// snapshot is what the counters say now.
func (c *inputCounts) snapshot() map[string]float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]float64{}
	for name, n := range c.each {
		out[name] = float64(n.acked.Load())
	}
	return out
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("loghaul_agent_"+name, help, labels, nil)
}

var (
	descStreams     = describe("streams", "Files that are followed, counted once a topic, by how they stand.", "state")
	descLag         = describe("lag_bytes", "Bytes in the files that are not acknowledged.")
	descBehind      = describe("lag_seconds", "For how long the slowest file has not come on though there is something in it.")
	descStates      = describe("inputs", "Inputs of this host by their state.", "state")
	descInputFiles  = describe("input_streams", "Files that are followed for an input.", "input")
	descInputLag    = describe("input_lag_bytes", "Bytes in an input's files that are not acknowledged.", "input")
	descInputBehind = describe("input_lag_seconds", "For how long the slowest file of an input has not come on though there is something in it.", "input")
	descInputAcked  = describe("input_source_bytes_acknowledged_total", "Bytes of an input's files whose lines are acknowledged.", "input")
)

// surveyor tells of the inputs and their streams: one look at all of them for each time
// that somebody asks.
type surveyor struct{ a *Agent }

// Describe lists what there is.
func (v surveyor) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descStreams, descLag, descBehind, descStates, descInputFiles, descInputLag, descInputBehind, descInputAcked} {
		out <- d
	}
}

// Collect looks.
func (v surveyor) Collect(out chan<- prometheus.Metric) {
	v.a.mu.Lock()
	if !v.a.mu.running {
		v.a.mu.Unlock()
		return
	}
	sum := v.a.surveyed()
	inputs, states := maps.Clone(sum.inputs), map[etcdconf.State]int{}
	for _, in := range v.a.inputStatuses() {
		states[in.State]++
		if inputs[in.Name] == nil {
			inputs[in.Name] = &lags{}
		}
	}
	v.a.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for state, n := range sum.states {
		gauge(descStreams, float64(n), streamStates[state])
	}
	for _, state := range []etcdconf.State{etcdconf.StateApplied, etcdconf.StateApplying, etcdconf.StateFailed, etcdconf.StateOverlapped, etcdconf.StatePaused} {
		gauge(descStates, float64(states[state]), string(state))
	}
	gauge(descLag, float64(sum.all.lag))
	gauge(descBehind, sum.all.behind.Seconds())
	inputs = bounded(inputs, func(x, y *lags) *lags {
		return &lags{x.streams + y.streams, x.lag + y.lag, max(x.behind, y.behind)}
	})
	for name, l := range inputs {
		gauge(descInputFiles, float64(l.streams), name)
		gauge(descInputLag, float64(l.lag), name)
		gauge(descInputBehind, l.behind.Seconds(), name)
	}
	for name, n := range bounded(v.a.metrics.inputs.snapshot(), func(x, y float64) float64 { return x + y }) {
		out <- prometheus.MustNewConstMetric(descInputAcked, prometheus.CounterValue, n, name)
	}
}

// bounded keeps the first namedInputs by name and adds the others up.
func bounded[T any](all map[string]T, add func(x, y T) T) map[string]T {
	out := map[string]T{}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if i >= namedInputs {
			if have, ok := out[otherInputs]; ok {
				out[otherInputs] = add(have, all[name])
			} else {
				out[otherInputs] = all[name]
			}
			continue
		}
		out[name] = all[name]
	}
	return out
}
