// Package admin is the operator's listener of a part: metrics, whether it lives, whether it serves, and profiles, on one
// address that nothing else shares.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/loghaul/loghaul/internal/listen"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config says where to listen and what to show.
type Config struct {
	Listen  string              // HOST:PORT; port 0 picks a free one; no default
	Metrics prometheus.Gatherer // what /metrics shows; required
	Serving func() error        // nil while the part serves, else why not; called by /readyz, concurrently; required
	Notes   func() []string     // what an operator should know although the part serves, for /readyz, a line each; nil: nothing
	Logger  *slog.Logger        // nil discards
}

// Validate lists every complaint about the configuration.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("Listen (%q) must be HOST:PORT", c.Listen))
	}
	if c.Metrics == nil {
		errs = append(errs, errors.New("Metrics must be given"))
	}
	if c.Serving == nil {
		errs = append(errs, errors.New("Serving must be given"))
	}
	return errors.Join(errs...)
}

// mostScrapes is how many may ask for the metrics at a time; each answer is made anew, from all that there is.
const mostScrapes = 4

// Server answers /metrics, /healthz, /readyz and /debug/pprof.
type Server struct {
	cfg   Config
	ready chan struct{} // closed by Run once it listens
	addr  string        // set before ready is closed
}

// New returns a server that does not listen yet.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, ready: make(chan struct{})}, nil
}

// Ready is closed once the server listens.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is the real HOST:PORT; valid after Ready.
func (s *Server) Addr() string { return s.addr }

// Run serves until ctx ends and returns when no request is in flight, or after one second. It is called once.
func (s *Server) Run(ctx context.Context) error {
	l, err := listen.Listen(ctx, "tcp", s.cfg.Listen, "--admin")
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	h := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1) // one send, by the goroutine below
	go func() { served <- h.Serve(l) }()
	close(s.ready)
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", s.addr, err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := h.Shutdown(end); err != nil {
		h.Close() // a profile that runs for longer than we wait
	}
	<-served
	return nil
}

func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError, // one that cannot be had must not hide all others
		MaxRequestsInFlight: mostScrapes,
	}))
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, index) })
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	m.HandleFunc("GET /readyz", s.readyz)
	m.HandleFunc("GET /debug/pprof/", pprof.Index)
	m.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	m.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	m.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	m.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return m
}

// index is what who looks at the bare address is shown.
const index = `/metrics       metrics, for Prometheus
/healthz       ok while the process lives
/readyz        ok while it serves, else why not; below it what an operator should know
/debug/pprof/  profiles, for go tool pprof
`

// readyz answers 200 while the part serves, with what is to be noted below, and 503 with the reason while it does not.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.cfg.Serving(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
	if s.cfg.Notes != nil {
		for _, note := range s.cfg.Notes() {
			io.WriteString(w, note+"\n")
		}
	}
}
