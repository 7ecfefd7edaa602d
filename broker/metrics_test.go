package broker_test

import (
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metric sums up a metric's values (of a histogram: its count) over the labels that have this value.
func metric(t *testing.T, registry *prometheus.Registry, name, label string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() != label {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func TestMetricsCountWhatGoesInAndOut(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, Registry: registry})
	conn := r.dial()
	batch := seal(t, 10, record.NoProducer, record.None)
	put(t, conn, 7, "web_log", 0, -1, batch)
	put(t, conn, 7, "web_log", 0, -1, batch)
	get(t, conn, 11, fetchRequest("web_log", 0, 0, 1, 0))
	r.raw().Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	for _, c := range []struct {
		name, label string
		want        float64
	}{
		{"loghaul_broker_received_records_total", "web_log", 20},
		{"loghaul_broker_received_bytes_total", "web_log", float64(2 * len(batch))},
		{"loghaul_broker_received_batches_total", "web_log", 2},
		{"loghaul_broker_sent_bytes_total", "web_log", float64(2 * len(batch))},
		{"loghaul_broker_sent_records_total", "web_log", 20},
		{"loghaul_broker_stored_bytes", "web_log", float64(2 * len(batch))},
		{"loghaul_broker_topics", "", 3},
		{"loghaul_broker_partitions", "", 3},
		{"loghaul_broker_connections_total", "", 2},
		{"loghaul_broker_memory_most_bytes", "requests", 256 << 20},
		{"loghaul_broker_request_seconds", "Produce", 2},
		{"loghaul_broker_request_seconds", "Fetch", 1},
		{"loghaul_broker_connections", "", 1},
		{"loghaul_broker_connections_refused_total", "garbage", 1},
	} {
		eventually(t, c.name, func() bool { return metric(t, registry, c.name, c.label) == c.want })
	}
	if n := metric(t, registry, "loghaul_broker_sync_seconds", ""); n < 1 {
		t.Errorf("%v syncs counted", n)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{"web_log"}
	call[*kmsg.DeleteTopicsResponse](t, conn, 3, del)
	if n := metric(t, registry, "loghaul_broker_received_bytes_total", "web_log"); n != 0 {
		t.Errorf("a deleted topic still counts %v bytes", n)
	}
	if _, err := broker.New(broker.Config{Data: t.TempDir(), Registry: registry}); err == nil {
		t.Error("two brokers share one registry")
	}
}
