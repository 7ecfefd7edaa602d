package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/agent/account"
	"github.com/loghaul/loghaul/agent/archive"
	"github.com/loghaul/loghaul/agent/discover"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/agent/spool"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/datadir"
	"github.com/loghaul/loghaul/internal/disk"
)

// Agent follows files and sends their lines. Its methods are safe for concurrent use.
type Agent struct {
	cfg     Config
	log     *slog.Logger
	ready   chan struct{} // closed by Run
	metrics *metrics
	budget  *budget
	access  *discover.Access

	// Made by Run before anything else runs.
	journal *journal.Journal
	spool   *spool.Store
	client  *produce.Client
	events  *discover.Events
	first   *firsts
	lanes   sync.WaitGroup // everything that reads
	// settling is held while batches in doubt pass from the journal to a partition, and
	// taken before mu.
	settling  sync.Mutex
	cpu       cpuShare
	files     openFiles
	followed  atomic.Int64 // streams that lanes look after
	stirring  atomic.Int64 // of them, those of which something was read lately
	unpacking *archive.Slots
	guards    guards

	// mu is taken before guards, a lane's mail or a stream's shown, never inside one.
	mu struct {
		sync.Mutex
		running bool
		started time.Time
		applied bool // the inputs have been heard of
		inputs  map[string]*input
		faults  []etcdconf.Fault
		topics  map[string]*topic
		streams map[streamID]*stream
		refs    []journal.InputRef // of values that are not in force any more, oldest first
		odd     map[streamID]bool  // streams that nobody asks for, or that wait to be placed: tidy looks again
		full    error              // why the journal cannot be written
		survey  *survey            // the last one
	}
	// exposed is who wants to hear at once that a name, not of a path that is followed,
	// is gone.
	exposed exposed
	// byPath is who wants to hear that a path was written.
	byPath struct {
		sync.RWMutex
		m map[string][]*stream
	}
}

// New checks cfg. It touches nothing.
func New(cfg Config) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the agent: %w", err)
	}
	cfg = cfg.withDefaults()
	a := &Agent{cfg: cfg, log: cfg.Logger, ready: make(chan struct{}), budget: newBudget(cfg.Memory)}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, err
	}
	a.cfg.Data = data
	a.access = &discover.Access{Roots: cfg.Roots, WorldReadable: cfg.WorldReadable, Never: append(slices.Clone(cfg.Never), data)}
	a.mu.inputs, a.mu.topics, a.mu.streams = map[string]*input{}, map[string]*topic{}, map[streamID]*stream{}
	a.mu.odd = map[streamID]bool{}
	a.byPath.m = map[string][]*stream{}
	a.unpacking = archive.NewSlots(unpackBytes)
	a.files.most = cfg.MaxOpen
	a.cpu.share, a.cpu.spent = cfg.CPU, cpuSpent
	a.guards.wake = make(chan struct{}, 1)
	a.metrics = newMetrics(a, cfg.Registry)
	return a, nil
}

// Ready is closed once the agent serves: its inputs are known, or the wait for them is
// not what holds it up.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// Run follows until ctx ends and then drains: it stops reading, waits for what is in
// flight, and closes the journal. With Once it returns by itself when everything is
// sent. nil means that nothing went wrong that a restart could mend.
func (a *Agent) Run(ctx context.Context) error {
	folder, err := datadir.Hold(a.cfg.Data)
	if err != nil {
		return err
	}
	defer folder.Close()
	// What sends outlives what reads: it waits for the answers.
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if err := a.open(sending); err != nil {
		return err
	}
	// Who reads may itself be waiting for a broker that accepts and never answers.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(a.cfg.DrainWait, stop) })()
	var senders sync.WaitGroup
	senders.Go(func() { a.client.Run(sending) })
	senders.Go(func() { a.journal.Run(sending) })

	publish := a.openAccount()
	err = a.follow(ctx, publish)

	drain, cancel := context.WithTimeout(sending, a.cfg.DrainWait)
	defer cancel()
	if a.client.Drain(drain) != nil {
		a.log.Warn("not every answer came in time; the next start asks the brokers what they have", "batches", a.client.InFlight(), "waited", a.cfg.DrainWait)
	}
	stop()
	senders.Wait()
	a.closeAccount(publish)
	return errors.Join(err, a.spool.Close(), a.journal.Close())
}

// open opens the journal and makes what hangs on it; connections end with sending.
func (a *Agent) open(sending context.Context) (err error) {
	a.journal, err = journal.Open(journal.Config{Dir: filepath.Join(a.cfg.Data, "journal"), Host: a.cfg.Host, Disk: a.cfg.Disk, Logger: a.log, Now: a.cfg.now,
		Synced: func(took time.Duration) { a.metrics.journalled("sync", took) }})
	if err != nil {
		return err
	}
	if doubt := a.journal.Doubt(); doubt != "" {
		a.log.Warn("the end of the journal may be missing: the brokers are asked what they have", "why", doubt)
	}
	if a.first, err = openFirsts(disk.Or(a.cfg.Disk), filepath.Join(a.cfg.Data, "first.json"), a.log); err != nil {
		return err
	}
	if err = a.openSpool(); err != nil {
		return err
	}
	a.events = discover.NewEvents(a.log)
	a.client, err = produce.New(sending, produce.Config{Kafka: a.cfg.Kafka, Journal: a.journal, Framer: &framer{a}, Acked: a.metrics.acked, Doubled: a.doubled, Abandoned: a.abandoned, BackoffStuck: a.cfg.stuckPause, Logger: a.log})
	return err
}

// follow runs everything that reads, until ctx ends, Once is done, or something fails
// that no waiting mends.
func (a *Agent) follow(ctx context.Context, publish *account.Publisher) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a.mu.Lock()
	a.mu.running, a.mu.started = true, time.Now()
	for at := range a.journal.InDoubt() {
		a.topicOf(ctx, at.Topic, nil) // settled whether an input still wants it or not
	}
	a.mu.Unlock()

	task := func(what string, f func(context.Context) error) {
		a.lanes.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	if !a.cfg.deaf {
		task("watching folders", a.events.Run)
	}
	task("watching inputs", func(ctx context.Context) error {
		src := etcdconf.Cached(filepath.Join(a.cfg.Data, "inputs.json"), a.cfg.Inputs, 0, a.log)
		return etcdconf.WatchInputs(ctx, src, a.check, func(in etcdconf.Inputs) { a.applyInputs(ctx, in) })
	})
	task("looking after streams", a.tidy)
	task("doing what was asked", a.heed)
	task("tidying the spool", a.tidySpool)
	task("holding files", a.keepGuard)
	if a.cfg.NeedsMemory != nil {
		task("telling how much memory is needed", a.tellMemory)
	}
	if a.cfg.Status != nil {
		task("publishing the status", func(ctx context.Context) error {
			return a.cfg.Status.Run(ctx, func() any { return a.Status() })
		})
	}
	if publish != nil {
		task("publishing the account", publish.Run)
	}
	task("draining when asked", func(ctx context.Context) error {
		return a.drainAsked(ctx, func() { cancel(errors.Join(errDone)) })
	})
	if a.cfg.Once {
		task("once", func(ctx context.Context) error {
			err := a.untilDone(ctx)
			cancel(errors.Join(errDone, err))
			return nil
		})
	}
	<-ctx.Done()
	a.lanes.Wait()
	a.mu.Lock()
	a.mu.running = false
	a.mu.Unlock()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return onlyFailures(cause)
	}
	return nil
}

// errDone ends a run with Once; it is no failure.
var errDone = errors.New("everything is sent")

// onlyFailures takes errDone out of what ended a run.
func onlyFailures(cause error) error {
	joined, ok := cause.(interface{ Unwrap() []error })
	if !ok {
		return cause
	}
	var out []error
	for _, err := range joined.Unwrap() {
		if err != errDone {
			out = append(out, err)
		}
	}
	return errors.Join(out...)
}

// journalFails notes that the journal cannot be written.
func (a *Agent) journalFails(err error) {
	a.metrics.refusals.Add(1)
	a.mu.Lock()
	news := a.mu.full == nil
	a.mu.full = err
	a.mu.Unlock()
	if news {
		a.log.Error("the journal cannot be written: reading stops, nothing is forgotten, and it goes on when there is room", "err", err)
	}
}

// journalWorks notes that it can be written again.
func (a *Agent) journalWorks() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.full != nil {
		a.log.Info("the journal can be written again: reading goes on")
	}
	a.mu.full = nil
}

// sending says how many batches are in flight, and how many records may be double.
func (a *Agent) sending() (inFlight int, doubles int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.mu.running {
		return 0, 0
	}
	return a.client.InFlight(), a.client.PossibleDoubles()
}
