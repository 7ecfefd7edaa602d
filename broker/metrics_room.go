package broker

import (
	"sync/atomic"

	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/prometheus/client_golang/prometheus"
)

// roomMetrics tells, when somebody asks for the metrics, how the disk's room stands.
type roomMetrics struct {
	room *atomic.Pointer[diskroom.Room] // nil in it: the broker does not serve yet

	budget, used, blocked, full, refused, records, bytes *prometheus.Desc
}

func newRoomMetrics(room *atomic.Pointer[diskroom.Room]) *roomMetrics {
	return &roomMetrics{
		room:    room,
		budget:  described("disk_budget_bytes", "What --disk-budget says; 0: the disk itself is the limit."),
		used:    described("disk_used_bytes", "Bytes of all logs with their indexes and small files."),
		blocked: described("disk_blocked", "1 while clients' records are refused because the budget is used up or the disk is full."),
		full:    described("disk_full", "1 while the disk is full."),
		refused: described("disk_refused_batches_total", "Batches of clients refused for want of room."),
		records: described("disk_dropped_records_total", "Records dropped to make room, read or not (--on-full drop-oldest).", "topic"),
		bytes:   described("disk_dropped_bytes_total", "Bytes dropped to make room, read or not (--on-full drop-oldest).", "topic"),
	}
}

// Describe tells the registry what there is to collect.
func (m *roomMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.budget, m.used, m.blocked, m.full, m.refused, m.records, m.bytes} {
		to <- d
	}
}

// Collect looks at the room.
func (m *roomMetrics) Collect(to chan<- prometheus.Metric) {
	r := m.room.Load()
	if r == nil {
		return
	}
	s := r.State()
	gauge := func(d *prometheus.Desc, v float64) { to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge(m.budget, float64(s.Budget))
	gauge(m.used, float64(s.Used))
	gauge(m.blocked, truth(s.Why != ""))
	gauge(m.full, truth(s.Full))
	count(m.refused, s.Refused)
	for _, d := range s.Dropped {
		count(m.records, d.Records, d.Topic)
		count(m.bytes, d.Bytes, d.Topic)
	}
}
