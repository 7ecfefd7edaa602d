package broker

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// flow is what one topic has taken and given since the start.
type flow struct {
	receivedBatches, receivedRecords, receivedBytes atomic.Int64
	sentRecords, sentBytes                          atomic.Int64
}

// flows counts what goes in and out by topic. Counting one batch is one look into a map and a few additions: each batch
// of each client comes by here.
type flows struct {
	byTopic sync.Map // topic name to *flow

	receivedBatches, receivedRecords, receivedBytes, sentRecords, sentBytes *prometheus.Desc
}

func newFlows() *flows {
	return &flows{
		receivedBatches: described("received_batches_total", "Record batches appended.", "topic"),
		receivedRecords: described("received_records_total", "Records appended.", "topic"),
		receivedBytes:   described("received_bytes_total", "Bytes of record batches appended.", "topic"),
		sentRecords:     described("sent_records_total", "Records sent to clients, counted by their offsets.", "topic"),
		sentBytes:       described("sent_bytes_total", "Bytes of record batches sent to clients.", "topic"),
	}
}

// of is the topic's own.
func (f *flows) of(topic string) *flow {
	if known, ok := f.byTopic.Load(topic); ok {
		return known.(*flow)
	}
	known, _ := f.byTopic.LoadOrStore(topic, new(flow))
	return known.(*flow)
}

// forget drops a topic that is gone.
func (f *flows) forget(topic string) { f.byTopic.Delete(topic) }

// Describe tells the registry what there is to collect.
func (f *flows) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.receivedBatches, f.receivedRecords, f.receivedBytes, f.sentRecords, f.sentBytes} {
		to <- d
	}
}

// Collect gives the counts of this moment.
func (f *flows) Collect(to chan<- prometheus.Metric) {
	f.byTopic.Range(func(key, value any) bool {
		topic, one := key.(string), value.(*flow)
		count := func(d *prometheus.Desc, n *atomic.Int64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()), topic)
		}
		count(f.receivedBatches, &one.receivedBatches)
		count(f.receivedRecords, &one.receivedRecords)
		count(f.receivedBytes, &one.receivedBytes)
		count(f.sentRecords, &one.sentRecords)
		count(f.sentBytes, &one.sentBytes)
		return true
	})
}
