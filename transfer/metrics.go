package transfer

import (
	"strconv"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a transfer counts.
type metrics struct {
	records *prometheus.CounterVec
	bytes   *prometheus.CounterVec
	writes  *prometheus.HistogramVec
}

// newMetrics makes the metrics and registers them; a nil registry leaves them to themselves.
func newMetrics(registry prometheus.Registerer, t *Transfer) (*metrics, error) {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loghaul_transfer_records_total", Help: "Records that a sink has stored.",
		}, []string{"sink", "topic"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "loghaul_transfer_bytes_total", Help: "Bytes of keys, values and headers that a sink has stored.",
		}, []string{"sink", "topic"}),
		writes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "loghaul_transfer_write_seconds", Help: "Time a sink took to store one batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"sink"}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.records, m.bytes, m.writes, &routeMetrics{t: t}} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) stored(name string, b sink.Batch, bytes int, took time.Duration) {
	m.records.WithLabelValues(name, b.Topic).Add(float64(len(b.Records)))
	m.bytes.WithLabelValues(name, b.Topic).Add(float64(bytes))
	m.writes.WithLabelValues(name).Observe(took.Seconds())
}

// routeMetrics shows where the routes stand at the moment of asking.
type routeMetrics struct{ t *Transfer }

var (
	lagRecords = prometheus.NewDesc("loghaul_transfer_lag_records", "Records in the topic that the sink has not stored.", []string{"sink", "topic", "partition"}, nil)
	lagSeconds = prometheus.NewDesc("loghaul_transfer_lag_seconds", "Age of the oldest record that the sink has not stored.", []string{"sink", "topic", "partition"}, nil)
	lost       = prometheus.NewDesc("loghaul_transfer_lost_records_total", "Records that retention took before they were read.", []string{"sink", "topic", "partition"}, nil)
	state      = prometheus.NewDesc("loghaul_transfer_route_state", "1 for the state that a route is in.", []string{"sink", "topic", "state"}, nil)
	memory     = prometheus.NewDesc("loghaul_transfer_memory_bytes", "Bytes of records held over all routes.", nil, nil)
)

// Describe names the metrics.
func (m *routeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagRecords, lagSeconds, lost, state, memory} {
		out <- d
	}
}

// Collect asks the routes.
func (m *routeMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	m.t.mu.Lock()
	env, slots := m.t.mu.env, m.t.mu.slots
	m.t.mu.Unlock()
	if env == nil {
		return
	}
	gauge(memory, float64(env.budget.Used()))
	routes, _ := slots.routes()
	for _, r := range routes {
		for _, w := range r.current() {
			s := w.Status()
			p := strconv.Itoa(int(s.Partition))
			gauge(lagRecords, float64(s.LagRecords), r.value.Name, s.Topic, p)
			gauge(lagSeconds, float64(s.LagMs)/1000, r.value.Name, s.Topic, p)
			out <- prometheus.MustNewConstMetric(lost, prometheus.CounterValue, float64(s.Lost), r.value.Name, s.Topic, p)
		}
	}
	for _, s := range m.t.Status().Routes {
		for _, one := range []etcdconf.State{etcdconf.StateRunning, etcdconf.StateApplying, etcdconf.StatePaused, etcdconf.StateStopped, etcdconf.StateFailed} {
			v := 0.0
			if s.State == one {
				v = 1
			}
			gauge(state, v, s.Sink, s.Topic, string(one))
		}
	}
}
