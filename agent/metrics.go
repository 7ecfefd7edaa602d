package agent

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what /metrics and the status show of an agent. Their number does not grow
// with files.
type metrics struct {
	records, batches, wire atomic.Int64 // acknowledged
	bytes                  atomic.Int64 // of source files, acknowledged
	filtered, overlong     atomic.Int64 // bytes of source files that were left out on purpose
	lost                   atomic.Int64 // bytes of source files
	refusals               atomic.Int64 // of the journal
	ack                    prometheus.Histogram
	perBatch               *prometheus.HistogramVec // by unit
	journal                *prometheus.HistogramVec // by what it did
	inputs                 inputCounts
	troubles               *prometheus.CounterVec
}

func newMetrics(a *Agent, reg prometheus.Registerer) *metrics {
	m := &metrics{
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "loghaul", Subsystem: "agent", Name: "ack_seconds",
			Help: "Time from sending a batch first to its acknowledgement.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}),
		troubles: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "loghaul", Subsystem: "agent", Name: "troubles_total",
			Help: "Troubles by kind."}, []string{"kind"}),
	}
	m.perBatch, m.journal = newBatchSizes(), newJournalTimes()
	if reg == nil {
		return m
	}
	counter := func(name, help string, v *atomic.Int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "loghaul", Subsystem: "agent", Name: name, Help: help}, func() float64 { return float64(v.Load()) })
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "loghaul", Subsystem: "agent", Name: name, Help: help}, f)
	}
	reg.MustRegister(m.ack, m.troubles, m.perBatch, m.journal, surveyor{a},
		counter("records_acknowledged_total", "Records that the brokers have acknowledged.", &m.records),
		counter("batches_acknowledged_total", "Batches that the brokers have acknowledged.", &m.batches),
		counter("sent_bytes_total", "Bytes of acknowledged batches as they were sent.", &m.wire),
		counter("source_bytes_acknowledged_total", "Bytes of files whose lines are acknowledged.", &m.bytes),
		skippedBytes("filters", &m.filtered), skippedBytes("long_lines", &m.overlong),
		counter("lost_bytes_total", "Bytes of files that were written and can never be read.", &m.lost),
		counter("journal_refusals_total", "Times that the journal could not be written, for a full disk for one.", &m.refusals),
		gauge("spooled_bytes", "Bytes kept of deleted files because they are not acknowledged.", a.spooled),
		gauge("open_files", "Descriptors of followed files.", func() float64 { return float64(a.files.open()) }),
		gauge("batches_in_flight", "Batches sent and not acknowledged.", func() float64 { n, _ := a.sending(); return float64(n) }),
		gauge("possible_doubles", "Records sent again without proof that they were missing.", func() float64 { _, n := a.sending(); return float64(n) }))
	return m
}

// acked is told of each acknowledged batch.
func (m *metrics) acked(records, bytes int, took time.Duration) {
	m.records.Add(int64(records))
	m.wire.Add(int64(bytes))
	m.batches.Add(1)
	m.ack.Observe(took.Seconds())
	m.perBatch.WithLabelValues("records").Observe(float64(records))
	m.perBatch.WithLabelValues("bytes").Observe(float64(bytes))
}
