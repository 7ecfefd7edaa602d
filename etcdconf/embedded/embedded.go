// Package embedded runs one quiet etcd member inside this process, on loopback unless asked, for machines
// that have no etcd of their own. It serves etcd's gRPC and nothing a web page could reach.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/loghaul/loghaul/internal/listen"
	"go.etcd.io/etcd/server/v3/embed"
)

// Config says where the member keeps its data and listens.
type Config struct {
	Data   string       // folder; the member's own lies in Data/etcd; required
	Listen string       // host:port for clients, default 127.0.0.1:2379; port 0 picks a free one
	Logger *slog.Logger // nil: discard
}

// Validate lists everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Data == "" {
		errs = append(errs, errors.New("Data must name a folder"))
	}
	if c.Listen != "" {
		_, port, err := net.SplitHostPort(c.Listen)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
			errs = append(errs, fmt.Errorf("Listen (%q) must be host:port, such as 127.0.0.1:2379", c.Listen))
		}
	}
	return errors.Join(errs...)
}

// Etcd is one embedded member. Run it once.
type Etcd struct {
	cfg   Config
	ready chan struct{} // closed by Run once clients are served

	mu struct {
		sync.Mutex
		url string
	}
}

// New validates cfg and starts nothing.
func New(cfg Config) (*Etcd, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:2379"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Etcd{cfg: cfg, ready: make(chan struct{})}, nil
}

// Ready is closed once clients are served.
func (e *Etcd) Ready() <-chan struct{} { return e.ready }

// URL is where clients reach the member, with the real port; "" before Ready.
func (e *Etcd) URL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.url
}

// Run serves until ctx ends and then closes cleanly, or returns why it cannot serve.
func (e *Etcd) Run(ctx context.Context) error {
	dir := filepath.Join(e.cfg.Data, "etcd")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("preparing the folder of the embedded etcd: %w", err)
	}
	addr, err := e.port(ctx)
	if err != nil {
		return err
	}
	closing, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	settings := settings(dir, addr, &core{handler: e.cfg.Logger.Handler(), closing: closing})
	settings.GRPCAdditionalServerOptions = append(settings.GRPCAdditionalServerOptions, endStreams(closing))
	server, err := embed.StartEtcd(settings)
	if errors.Is(err, syscall.EADDRINUSE) { // taken since we looked
		return &listen.InUseError{Addr: e.cfg.Listen, Flag: flag, Err: err}
	}
	if err != nil {
		return fmt.Errorf("starting the embedded etcd in %s: %w", dir, err)
	}
	defer server.Close()
	defer end() // before server.Close, which would wait five seconds for open watches
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		return fmt.Errorf("starting the embedded etcd in %s: %w", dir, err)
	case <-server.Server.StopNotify():
		return fmt.Errorf("starting the embedded etcd in %s: it stopped", dir)
	case <-ctx.Done():
		return nil
	}
	e.serving("http://" + server.Clients[0].Addr().String())
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Err():
		return fmt.Errorf("serving the embedded etcd: %w", err)
	case <-server.Server.StopNotify():
		return fmt.Errorf("serving the embedded etcd: it stopped: is the disk of %s full?", dir)
	}
}

// serving makes the address known.
func (e *Etcd) serving(url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.url = url
	close(e.ready)
}

// flag is the option that chooses another address.
const flag = "--etcd-listen"

// port looks whether the address can be had before etcd tries, since etcd's own message names neither who has it nor
// the mend.
func (e *Etcd) port(ctx context.Context) (url.URL, error) {
	l, err := listen.Listen(ctx, "tcp", e.cfg.Listen, flag)
	if err != nil {
		return url.URL{}, err
	}
	l.Close()
	return url.URL{Scheme: "http", Host: e.cfg.Listen}, nil
}
