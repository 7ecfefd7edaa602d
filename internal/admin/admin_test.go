package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server on a free port until the test ends.
func serve(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run after its context ended: %v, want nil", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func get(t *testing.T, s *Server, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestMetricsOfTheRegistryAreShown(t *testing.T) {
	r := prometheus.NewRegistry()
	lines := prometheus.NewCounter(prometheus.CounterOpts{Name: "lines_total", Help: "Lines."})
	r.MustRegister(lines)
	lines.Add(7)
	s := serve(t, Config{Metrics: r, Serving: func() error { return nil }})
	if code, body := get(t, s, "/metrics"); code != 200 || !strings.Contains(body, "lines_total 7") {
		t.Errorf("GET /metrics = %d %q, want lines_total 7", code, body)
	}
	if code, _ := get(t, s, "/debug/pprof/goroutine?debug=1"); code != 200 {
		t.Errorf("GET /debug/pprof/goroutine = %d, want 200", code)
	}
}

func TestTheBareAddressSaysWhatThereIs(t *testing.T) {
	s := serve(t, Config{Metrics: prometheus.NewRegistry(), Serving: func() error { return nil }})
	code, body := get(t, s, "/")
	if code != 200 {
		t.Errorf("GET / = %d, want 200", code)
	}
	for line := range strings.Lines(body) {
		path, _, _ := strings.Cut(line, " ")
		if code, _ := get(t, s, path); code != 200 {
			t.Errorf("GET %s, which / names, = %d, want 200", path, code)
		}
	}
	if strings.Count(body, "\n") != 4 {
		t.Errorf("GET / = %q, want four lines", body)
	}
	if code, _ := get(t, s, "/nothing"); code != 404 {
		t.Errorf("GET /nothing = %d, want 404", code)
	}
}

func TestAliveIsNotReady(t *testing.T) {
	var serving atomic.Bool
	s := serve(t, Config{Metrics: prometheus.NewRegistry(), Serving: func() error {
		if !serving.Load() {
			return errors.New("waiting for the broker at 127.0.0.1:9092")
		}
		return nil
	}})
	if code, _ := get(t, s, "/healthz"); code != 200 {
		t.Errorf("GET /healthz before serving = %d, want 200", code)
	}
	if code, body := get(t, s, "/readyz"); code != 503 || !strings.Contains(body, "waiting for the broker") {
		t.Errorf("GET /readyz before serving = %d %q, want 503 and the reason", code, body)
	}
	serving.Store(true)
	if code, _ := get(t, s, "/readyz"); code != 200 {
		t.Errorf("GET /readyz while serving = %d, want 200", code)
	}
}

func TestWhatAnOperatorShouldKnowStandsBelowTheAnswer(t *testing.T) {
	notes := func() []string { return []string{"the disk is full", "writers wait"} }
	s := serve(t, Config{Metrics: prometheus.NewRegistry(), Serving: func() error { return nil }, Notes: notes})
	if code, body := get(t, s, "/readyz"); code != 200 || body != "ok\nthe disk is full\nwriters wait\n" {
		t.Errorf("GET /readyz = %d %q, want 200 with both notes", code, body)
	}
}

// broken is a metric that cannot be had.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(to chan<- *prometheus.Desc) { to <- b.desc }
func (b broken) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.NewInvalidMetric(b.desc, errors.New("no such thing"))
}

func TestAMetricThatCannotBeHadHidesNoOther(t *testing.T) {
	r := prometheus.NewRegistry()
	lines := prometheus.NewCounter(prometheus.CounterOpts{Name: "lines_total", Help: "Lines."})
	r.MustRegister(lines, broken{prometheus.NewDesc("broken_total", "Broken.", nil, nil)})
	s := serve(t, Config{Metrics: r, Serving: func() error { return nil }})
	if code, body := get(t, s, "/metrics"); code != 200 || !strings.Contains(body, "lines_total 0") {
		t.Errorf("GET /metrics = %d %q, want lines_total", code, body)
	}
}

func TestABusyPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := New(Config{Listen: l.Addr().String(), Metrics: prometheus.NewRegistry(), Serving: func() error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Run on a busy port = %v, want an error naming %s", err, l.Addr())
	}
}

func TestEveryComplaintIsListed(t *testing.T) {
	_, err := New(Config{Listen: "nowhere"})
	for _, want := range []string{"Listen", "Metrics", "Serving"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want a complaint about %s", err, want)
		}
	}
}
