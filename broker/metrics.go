package broker

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
)

// metrics are what this part counts. What can be looked up when somebody asks is not counted but looked up (census.go).
type metrics struct {
	flows       *flows
	census      *census
	losses      *losses
	refused     *prometheus.CounterVec
	errorNames  sync.Map // error code to its counter
	requests    map[int16]prometheus.Observer
	connected   prometheus.Counter
	connections prometheus.Gauge
	closed      *prometheus.CounterVec
	throttled   *prometheus.CounterVec
	muted       *prometheus.CounterVec
	syncs       prometheus.Histogram
	goneRecords *prometheus.CounterVec
	goneBytes   *prometheus.CounterVec
	cuts        prometheus.Counter
	cutBytes    prometheus.Counter
	recovery    prometheus.Gauge
	rechecked   prometheus.Gauge
	scrubs      prometheus.Counter
	damages     prometheus.Counter
	damage      atomic.Pointer[commitlog.Damage] // the first that was found; nil: none
}

const (
	namespace = "loghaul"
	subsystem = "broker"
)

// described is a metric that is made when it is asked for.
func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, labels, nil)
}

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

func gauge(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}
}

// seconds are the buckets of all times: from a tenth of a millisecond to 6.5 s, each four times the one before.
var seconds = prometheus.ExponentialBuckets(0.0001, 4, 9)

// newMetrics makes and registers them; a nil registry keeps them to itself.
func newMetrics(registry prometheus.Registerer, log *slog.Logger) (*metrics, error) {
	m := &metrics{
		flows:       newFlows(),
		losses:      newLosses(log),
		refused:     prometheus.NewCounterVec(counter("produce_errors_total", "Partitions of Produce requests that were answered with an error."), []string{"error"}),
		requests:    map[int16]prometheus.Observer{},
		connected:   prometheus.NewCounter(counter("connections_total", "Connections accepted.")),
		connections: prometheus.NewGauge(gauge("connections", "Connections open.")),
		closed:      prometheus.NewCounterVec(counter("connections_refused_total", "Connections closed by the broker, by why."), []string{"why"}),
		throttled:   prometheus.NewCounterVec(counter("throttled_total", "Requests whose client was told to wait because of a quota."), []string{"quota"}),
		muted:       prometheus.NewCounterVec(counter("throttled_seconds_total", "For how long clients were told to wait."), []string{"quota"}),
		syncs: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "sync_seconds",
			Help: "Time of one sync of one partition's log.", Buckets: seconds}),
		goneRecords: prometheus.NewCounterVec(counter("deleted_records_total", "Records deleted from the beginning of logs, counted by their offsets; the reason is age, size, room or trim."), []string{"topic", "reason"}),
		goneBytes:   prometheus.NewCounterVec(counter("deleted_bytes_total", "Bytes of record batches deleted from the beginning of logs, by the same reasons."), []string{"topic", "reason"}),
		cuts:        prometheus.NewCounter(counter("recovery_cuts_total", "Logs that had a torn or damaged end cut off when they were opened.")),
		cutBytes:    prometheus.NewCounter(counter("recovery_cut_bytes_total", "Bytes of torn or damaged ends that were cut off when logs were opened.")),
		recovery:    prometheus.NewGauge(gauge("recovery_seconds", "Time that the last start took to open and recover all logs.")),
		rechecked:   prometheus.NewGauge(gauge("recovery_checked_bytes", "Bytes of batches that the last start read again.")),
		scrubs:      prometheus.NewCounter(counter("scrubbed_bytes_total", "Bytes of stored batches that were read and checked in the background.")),
		damages:     prometheus.NewCounter(counter("scrub_damages_total", "Places with damaged or lost records that were found beside the work since the start, by the scrub or where a reader came to one; the log names each, unreadable_records says how much is refused now.")),
	}
	m.census = newCensus(m.losses)
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Subsystem: subsystem, Name: "request_seconds",
		Help: "Time from a request's arrival to its answer's departure, waiting included.", Buckets: seconds}, []string{"request"})
	for _, key := range handle.Keys() {
		m.requests[key.Key] = requests.WithLabelValues(key.Name)
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.flows, m.census, m.refused, requests, m.connected, m.connections, m.closed, m.throttled, m.muted,
		m.syncs, m.goneRecords, m.goneBytes, m.cuts, m.cutBytes, m.recovery, m.rechecked, m.scrubs, m.damages} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

// Received counts batches that were appended.
func (m *metrics) Received(topic string, records, bytes int) {
	f := m.flows.of(topic)
	f.receivedBatches.Add(1)
	f.receivedRecords.Add(int64(records))
	f.receivedBytes.Add(int64(bytes))
}

// Sent counts batches that were sent.
func (m *metrics) Sent(topic string, records, bytes int) {
	f := m.flows.of(topic)
	f.sentRecords.Add(int64(records))
	f.sentBytes.Add(int64(bytes))
}

// Refused counts a partition of a Produce request that was answered with an error.
func (m *metrics) Refused(code int16) {
	c, known := m.errorNames.Load(code)
	if !known {
		name := "UNKNOWN_SERVER_ERROR"
		if e := kerr.TypedErrorForCode(code); e != nil {
			name = e.Message
		}
		c, _ = m.errorNames.LoadOrStore(code, m.refused.WithLabelValues(name))
	}
	c.(prometheus.Counter).Inc()
}

// Throttled counts a client that was told to wait.
func (m *metrics) Throttled(key quota.Key, d time.Duration) {
	m.throttled.WithLabelValues(string(key)).Inc()
	m.muted.WithLabelValues(string(key)).Add(d.Seconds())
}

// Deleted forgets a topic.
func (m *metrics) Deleted(topic string) {
	m.flows.forget(topic)
	m.losses.forget(topic)
	m.goneRecords.DeletePartialMatch(prometheus.Labels{"topic": topic})
	m.goneBytes.DeletePartialMatch(prometheus.Labels{"topic": topic})
}

// answered observes how long a request took.
func (m *metrics) answered(key int16, took time.Duration) {
	if o := m.requests[key]; o != nil {
		o.Observe(took.Seconds())
	}
}

// synced observes one sync of one log.
func (m *metrics) synced(d time.Duration) { m.syncs.Observe(d.Seconds()) }

// cut counts what recovery took away.
func (m *metrics) cut(c commitlog.Cut) {
	m.cuts.Inc()
	m.cutBytes.Add(float64(c.Bytes))
}

// deleted counts what went from a log's beginning, and which groups had not read it.
func (m *metrics) deleted(d commitlog.Deletion) {
	at, ok := partitionOf(d.Log)
	if !ok {
		return
	}
	m.goneRecords.WithLabelValues(at.Topic, string(d.Reason)).Add(float64(d.To - d.From))
	m.goneBytes.WithLabelValues(at.Topic, string(d.Reason)).Add(float64(d.Bytes))
	if d.Reason == commitlog.ReasonTrim { // on purpose: that takes nothing from anybody
		return
	}
	if r := m.census.rooms.Load(); r != nil {
		m.losses.note(d, at, r.groups.Readers(at))
	}
}

// opened notes how long the logs took to open, and what of them was read again for that.
func (m *metrics) opened(t *topics.Topics, took time.Duration) {
	m.recovery.Set(took.Seconds())
	var checked int64
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			checked += p.Log.Rechecked()
		}
	}
	m.rechecked.Set(float64(checked))
}

// scrubbed counts what was checked in the background, damaged what that found.
func (m *metrics) scrubbed(bytes int64) { m.scrubs.Add(float64(bytes)) }
func (m *metrics) damaged(d commitlog.Damage) {
	m.damages.Inc()
	m.damage.CompareAndSwap(nil, &d)
}
