package broker

import (
	"errors"
	"time"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what this part counts.
type metrics struct {
	receivedBytes   *prometheus.CounterVec
	receivedRecords *prometheus.CounterVec
	sentBytes       *prometheus.CounterVec
	requests        map[int16]prometheus.Observer
	connections     prometheus.Gauge
	closed          *prometheus.CounterVec
	syncs           prometheus.Histogram
}

// newMetrics makes and registers them; a nil registry keeps them to itself.
func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "loghaul", Subsystem: "broker", Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		receivedBytes:   counter("received_bytes_total", "Bytes of record batches appended.", "topic"),
		receivedRecords: counter("received_records_total", "Records appended.", "topic"),
		sentBytes:       counter("sent_bytes_total", "Bytes of record batches sent to clients.", "topic"),
		closed:          counter("connections_refused_total", "Connections closed by the broker, by why.", "why"),
		requests:        map[int16]prometheus.Observer{},
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "loghaul", Subsystem: "broker",
			Name: "connections", Help: "Connections open."}),
		syncs: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "loghaul", Subsystem: "broker",
			Name: "sync_seconds", Help: "Time of one sync of one partition's log.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}),
	}
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "loghaul", Subsystem: "broker",
		Name: "request_seconds", Help: "Time from a request's arrival to its answer's departure, waiting included.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}, []string{"request"})
	for _, key := range handle.Keys() {
		m.requests[key.Key] = requests.WithLabelValues(key.Name)
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.receivedBytes, m.receivedRecords, m.sentBytes, m.closed, m.connections, m.syncs, requests} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

// Received counts batches that were appended.
func (m *metrics) Received(topic string, records, bytes int) {
	m.receivedBytes.WithLabelValues(topic).Add(float64(bytes))
	m.receivedRecords.WithLabelValues(topic).Add(float64(records))
}

// Sent counts batches that were sent.
func (m *metrics) Sent(topic string, bytes int) {
	m.sentBytes.WithLabelValues(topic).Add(float64(bytes))
}

// Deleted forgets a topic's counters.
func (m *metrics) Deleted(topic string) {
	for _, v := range []*prometheus.CounterVec{m.receivedBytes, m.receivedRecords, m.sentBytes} {
		v.DeleteLabelValues(topic)
	}
}

// answered observes how long a request took.
func (m *metrics) answered(key int16, began time.Time) {
	if o := m.requests[key]; o != nil {
		o.Observe(time.Since(began).Seconds())
	}
}

// synced observes one sync of one log.
func (m *metrics) synced(d time.Duration) { m.syncs.Observe(d.Seconds()) }
