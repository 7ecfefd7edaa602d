package transfer

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatIsStoredIsCounted(t *testing.T) {
	w := newWorld(t, 2, "web_log")
	w.sinks.Put("out", fileSink)
	registry := prometheus.NewPedanticRegistry()
	w.run(func(c *Config) { c.Registry = registry })
	for p := range int32(2) {
		w.produce("web_log", p, 0, 100)
	}
	w.wantLines("web_log", 2, 100)
	value := func(name string) (sum float64, found bool) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatalf("gathering: %v", err)
		}
		for _, f := range families {
			if f.GetName() != name {
				continue
			}
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
				found = true
			}
		}
		return sum, found
	}
	eventually(t, "200 records counted", func() bool { n, _ := value("loghaul_transfer_records_total"); return n == 200 })
	for _, name := range []string{
		"loghaul_transfer_bytes_total", "loghaul_transfer_write_seconds", "loghaul_transfer_lag_records", "loghaul_transfer_lag_seconds",
		"loghaul_transfer_lost_records_total", "loghaul_transfer_route_state", "loghaul_transfer_memory_bytes",
	} {
		if _, found := value(name); !found {
			t.Errorf("%s is not there", name)
		}
	}
}
