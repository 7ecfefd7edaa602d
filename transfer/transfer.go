// Package transfer is the front door of the way from topic to sink: it consumes partitions as one of a
// group and commits only what a sink has stored.
package transfer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/datadir"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/transfer/sink/stdout"
	"github.com/loghaul/loghaul/transfer/worker"
	"github.com/prometheus/client_golang/prometheus"
)

// DefaultMemory is how many bytes of records a transfer holds at most unless told otherwise.
const DefaultMemory = 64 << 20

// Config is what a transfer needs to run.
type Config struct {
	// Data is the folder of the transfer's own state: the last good sinks, and which sinks were applied
	// before. Required; made if it is not there.
	Data string
	// ID names this transfer: in its status and as a static member of its groups, so that after a kill the
	// same ID takes over at once. Two living transfers must not share one. Default: none, a new member at
	// each start.
	ID string
	// Host is the owner that commits name: files belong to one host. Default: the host's name.
	Host string
	// Version is shown in the status.
	Version string
	// Only names the sinks that this transfer serves. Default: all.
	Only []string
	// Sinks is where the sinks' values come from. Required.
	Sinks etcdconf.Source
	// OutRoot is the folder below which file sinks write. Default: <Data>/out.
	OutRoot string
	// Kafka is how to reach the brokers.
	Kafka kafka.Config
	// Memory bounds the bytes of records held over all routes, fetched and decoded. Default 64 MiB.
	Memory int64
	// Status publishes the transfer's status. Default: nowhere.
	Status *etcdconf.Publisher
	// Stdout is where sinks of type stdout write. Default: they are refused.
	Stdout io.Writer
	// Logger gets what happens. Default: nowhere.
	Logger *slog.Logger
	// Registry gets the metrics. Default: none.
	Registry prometheus.Registerer
}

// Validate lists every complaint about c.
func (c Config) Validate() error {
	var errs []error
	if c.Data == "" {
		errs = append(errs, errors.New("Data must name a folder"))
	}
	if c.Sinks == nil {
		errs = append(errs, errors.New("Sinks must be given"))
	}
	if c.Memory < 0 || c.Memory > 0 && c.Memory < minMemory {
		errs = append(errs, fmt.Errorf("Memory (%d) must be at least %d bytes", c.Memory, minMemory))
	}
	if err := c.Kafka.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// minMemory is enough for one fetch and one decoded batch.
const minMemory = 4 << 20

// drainAll is how long everything that is in flight may take to be stored and committed once Run's ctx has ended.
// It leaves some of the 10 s that a program has to end.
const drainAll = 7 * time.Second

// Transfer moves records from topics to sinks.
type Transfer struct {
	cfg     Config
	ready   chan struct{} // closed by Run
	started time.Time

	mu struct {
		sync.Mutex
		env   *env   // nil before Run
		slots *slots // nil before Run
	}
}

// env is what all routes share.
type env struct {
	cfg     Config
	id      string // of the data folder
	log     *slog.Logger
	cluster *cluster
	budget  *worker.Budget
	metrics *metrics
	applied *applied
	stdout  *stdout.Sink // nil: there is none
}

// New checks cfg; it starts nothing.
func New(cfg Config) (*Transfer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the transfer: %w", err)
	}
	if cfg.Memory == 0 {
		cfg.Memory = DefaultMemory
	}
	if cfg.OutRoot == "" {
		cfg.OutRoot = filepath.Join(cfg.Data, "out")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("configuring the transfer: Host must be given: %w", err)
		}
		cfg.Host = host
	}
	root, err := filepath.Abs(cfg.OutRoot)
	if err != nil {
		return nil, fmt.Errorf("configuring the transfer: OutRoot (%s): %w", cfg.OutRoot, err)
	}
	cfg.OutRoot = root
	return &Transfer{cfg: cfg, ready: make(chan struct{}), started: time.Now()}, nil
}

// Ready is closed once the sinks' values are known and their routes were started.
func (t *Transfer) Ready() <-chan struct{} { return t.ready }

// Run serves the sinks until ctx ends; then it drains, commits, leaves its groups and returns nil. What does not drain
// within 7 s is given up: it is not committed.
func (t *Transfer) Run(ctx context.Context) error {
	held, err := datadir.Hold(t.cfg.Data)
	if err != nil {
		return err
	}
	defer held.Close()
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainAll, cancel) })()
	env, err := t.open(hard)
	if err != nil {
		return fmt.Errorf("starting the transfer: %w", err)
	}
	defer env.cluster.close()

	all := newSlots(env)
	t.mu.Lock()
	t.mu.env, t.mu.slots = env, all
	t.mu.Unlock()
	publishing, stop := context.WithCancel(hard)
	var wg sync.WaitGroup
	wg.Go(func() { t.publish(publishing) })

	life, end := context.WithCancel(ctx)
	defer end()
	src := etcdconf.Cached(filepath.Join(t.cfg.Data, "last-sinks.json"), t.cfg.Sinks, 0, env.log)
	var once sync.Once
	err = etcdconf.WatchSinks(ctx, src, func(s etcdconf.Sink) error { return checkSink(s, t.cfg.OutRoot) }, func(s etcdconf.Sinks) {
		all.apply(life, hard, s)
		once.Do(func() { close(t.ready) })
	})
	end() // the source failed for good, or ctx has ended: drain
	all.wg.Wait()
	stop()
	wg.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("watching the sinks: %w", err)
	}
	return nil
}

// open makes what the routes share; connections end with hard.
func (t *Transfer) open(hard context.Context) (*env, error) {
	id, err := instanceID(t.cfg.Data, rand.Text)
	if err != nil {
		return nil, fmt.Errorf("reading the instance id: %w", err)
	}
	m, err := newMetrics(t.cfg.Registry, t)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	e := &env{
		cfg: t.cfg, id: id, log: t.cfg.Logger, cluster: newCluster(hard, t.cfg.Kafka), budget: worker.NewBudget(t.cfg.Memory),
		metrics: m, applied: newApplied(t.cfg.Data),
	}
	if t.cfg.Stdout != nil {
		e.stdout = stdout.New(t.cfg.Stdout)
	}
	return e, nil
}

// publish keeps the status in etcd until ctx ends. Another transfer with the same id does not stop this one's routes:
// the group sorts them out; it is said, and tried again.
func (t *Transfer) publish(ctx context.Context) {
	if t.cfg.Status == nil {
		return
	}
	for ctx.Err() == nil {
		if err := t.cfg.Status.Run(ctx, func() any { return t.Status() }); err != nil {
			t.cfg.Logger.Error("the status cannot be published", "error", err)
		}
		sleep(ctx, 10*time.Second)
	}
}

// serves says whether this transfer serves a sink.
func (e *env) serves(name string) bool {
	return len(e.cfg.Only) == 0 || slices.Contains(e.cfg.Only, name)
}

// instance is the id of a static group member; what brokers do not take in one becomes "_". Empty: no static member.
func (e *env) instance() string {
	safe := func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}
	return strings.Map(safe, e.cfg.ID)
}
