package broker_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/prometheus/client_golang/prometheus"
)

func TestACutIsOneLineThatNoLogLevelHides(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir})
	r.produce(r.client(), "web_log", 0, 90)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "web_log-0", "00000000000000000000.log")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Seek(0, 2)
	if err == nil {
		_, err = f.Write(bytes.Repeat([]byte{0xff}, 1234))
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	var heard bytes.Buffer
	registry := prometheus.NewRegistry()
	r = start(t, broker.Config{Data: dir, Recovered: &heard, Registry: registry})
	want := "recovered web_log-0: truncated 1234 bytes at position "
	if got := heard.String(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 || !strings.Contains(got, " of 00000000000000000000.log (offset 90): ") {
		t.Errorf("with 1234 bytes of garbage at %d, recovery said %q", size, got)
	}
	for name, want := range map[string]float64{"recovery_cuts_total": 1, "recovery_cut_bytes_total": 1234} {
		if got := series(t, registry, "loghaul_broker_"+name)[""]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"recovery_seconds", "recovery_checked_bytes"} {
		if got := series(t, registry, "loghaul_broker_"+name)[""]; got <= 0 {
			t.Errorf("%s is %v", name, got)
		}
	}
	wantLines(t, r.consume("web_log", 90), 90)
}
