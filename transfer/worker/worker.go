package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// ErrFenced says that the group has given the partition to somebody else: nothing may be committed any more.
var ErrFenced = errors.New("the group has moved on, this member may not commit")

// Commit is a group's offset of one partition and its metadata.
type Commit struct {
	Offset   record.Offset // sink.NoOffset: there is none
	Metadata string
}

// Commits reads and writes the group's offsets as one member in one generation.
type Commits interface {
	// Fetch reads the commit of a partition; Offset is sink.NoOffset when there is none.
	Fetch(ctx context.Context, topic string, partition int32) (Commit, error)
	// Commit returns once the commit is acknowledged. It tries again what passes; ErrFenced does not.
	Commit(ctx context.Context, topic string, partition int32, c Commit) error
}

// Origins says where a partition without a commit begins.
type Origins interface {
	// Start is where the sink's `start` says to begin.
	Start(ctx context.Context, topic string, partition int32) (record.Offset, error)
	// Earliest is the first record that the topic holds.
	Earliest(ctx context.Context, topic string, partition int32) (record.Offset, error)
}

// Config is what a Worker needs. All fields but the last two are required.
type Config struct {
	Topic       string
	Partition   int32
	Incarnation string // the topic's id, "" when the broker does not say
	Sink        sink.Sink
	Fetcher     *Fetcher
	Commits     Commits
	Origins     Origins
	Limits      Limits
	Owner       string // who stores: written into every commit
	Digest      string // of the sink's value
	// Stored is called after each batch that the sink has stored. Default: nothing.
	Stored func(b sink.Batch, bytes int, took time.Duration)
	// Logger gets what happens. Default: nowhere.
	Logger *slog.Logger
}

// Waits between tries of what failed; full jitter below them.
const (
	firstWait = 50 * time.Millisecond
	lastWait  = 5 * time.Second
	idleEvery = time.Second
)

// Worker moves the records of one assigned partition into the sink.
type Worker struct {
	cfg  Config
	note Note
	stop chan struct{} // closed by Drain
	done chan struct{} // closed by Run

	mu struct {
		sync.Mutex
		draining bool
		state    progress
	}
}

// New makes a Worker; it starts nothing.
func New(cfg Config) *Worker {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Stored == nil {
		cfg.Stored = func(sink.Batch, int, time.Duration) {}
	}
	w := &Worker{cfg: cfg, stop: make(chan struct{}), done: make(chan struct{})}
	w.mu.state = progress{stored: sink.NoOffset, committed: sink.NoOffset}
	return w
}

// Drain asks Run to take nothing more in, to finish what is in flight, to commit, and to return.
func (w *Worker) Drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mu.draining {
		w.mu.draining = true
		close(w.stop)
	}
}

// Done is closed when Run has returned.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Run takes the partition over and moves its records until Drain, or until ctx ends: then at once and without a
// commit. It returns nil after a clean drain, ErrFenced when the group has moved on.
func (w *Worker) Run(ctx context.Context) error {
	defer close(w.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := w.takeOver(ctx)
	if err != nil {
		return err
	}
	err = w.move(ctx, from)
	if revokeErr := w.cfg.Sink.Revoke(ctx, w.cfg.Topic, w.cfg.Partition); err == nil && revokeErr != nil {
		err = fmt.Errorf("letting go of %s/%d: %w", w.cfg.Topic, w.cfg.Partition, revokeErr)
	}
	return err
}

// move decodes in one goroutine and writes in this one, so that the next batch is decoded, and the one after that
// fetched, while a batch is being written.
func (w *Worker) move(ctx context.Context, from record.Offset) error {
	ctx, cancel := context.WithCancel(ctx)
	f := w.cfg.Fetcher.open(w.cfg.Topic, w.cfg.Partition, from)
	parcels := make(chan *parcel) // closed by the decoder
	d := &decoder{
		topic: w.cfg.Topic, partition: w.cfg.Partition, feed: f, portion: w.cfg.Fetcher.cfg.Portion,
		limits: w.cfg.Limits, needs: needs(w.cfg.Sink), out: parcels, stop: w.stop, report: w.blocked, next: from,
	}
	w.started(f, from)
	var wg sync.WaitGroup
	wg.Go(func() { d.run(ctx) })
	err := w.write(ctx, parcels)
	cancel()
	for p := range parcels {
		p.arena.release()
	}
	wg.Wait()
	f.close()
	return err
}

// needs is what the sink looks at.
func needs(s sink.Sink) sink.Needs {
	if p, ok := s.(sink.Picker); ok {
		return p.Needs()
	}
	return sink.Needs{Key: true, Headers: true}
}

// write stores batch after batch and commits each. One commit is in flight while the next batch is being stored, and
// the batch after that waits for it: the group's offset is at most two batches behind the sink.
func (w *Worker) write(ctx context.Context, parcels <-chan *parcel) error {
	idle := time.NewTicker(idleEvery)
	defer idle.Stop()
	var flight chan error // the commit in flight; nil: none
	defer func() {
		if flight != nil {
			<-flight // its goroutine ends with ctx at the latest
		}
	}()
	for {
		select {
		case p, more := <-parcels:
			if !more {
				return w.landed(ctx, &flight)
			}
			err := w.store(ctx, p)
			next := p.Next
			p.arena.release()
			if err == nil {
				err = w.landed(ctx, &flight)
			}
			if err != nil {
				return err
			}
			flight = w.commit(ctx, next)
		case err := <-flight:
			flight = nil
			if err != nil {
				return err
			}
		case now := <-idle.C:
			w.idle(ctx, now)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// landed waits for the commit in flight.
func (w *Worker) landed(ctx context.Context, flight *chan error) error {
	if *flight == nil {
		return ctx.Err()
	}
	err := <-*flight
	*flight = nil
	return err
}

// commit sends one commit; the answer comes on the channel.
func (w *Worker) commit(ctx context.Context, next record.Offset) chan error {
	flight := make(chan error, 1)
	if next <= w.committed() { // the sink was behind the commit: it never goes back
		flight <- nil
		return flight
	}
	c := Commit{Offset: next, Metadata: w.note.String()}
	go func() {
		flight <- w.land(ctx, c)
	}()
	return flight
}

// land commits until it is acknowledged. What does not pass by itself is shown and tried again, unless the partition is
// being taken away.
func (w *Worker) land(ctx context.Context, c Commit) error {
	wait := firstWait
	for {
		err := w.cfg.Commits.Commit(ctx, w.cfg.Topic, w.cfg.Partition, c)
		if err == nil {
			w.commitLanded(c.Offset)
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrFenced) || w.isDraining() {
			return err
		}
		w.failing(err)
		if err := w.pause(ctx, &wait); err != nil {
			return err
		}
	}
}

// store writes one batch until the sink has it. A worker that drains gives up at the first error: what is not stored
// is not committed, and the next owner reads it again.
func (w *Worker) store(ctx context.Context, p *parcel) error {
	wait := firstWait
	for {
		began := time.Now()
		err := w.cfg.Sink.Write(ctx, p.Batch)
		if err == nil {
			w.stored(p)
			w.cfg.Stored(p.Batch, p.bytes, time.Since(began))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = fmt.Errorf("storing %s/%d from offset %d: %w", w.cfg.Topic, w.cfg.Partition, p.First, err)
		w.failing(err)
		if w.isDraining() {
			return err
		}
		if err := w.pause(ctx, &wait); err != nil {
			return err
		}
	}
}

// pause waits a random time up to *wait and doubles it. Drain ends the wait.
func (w *Worker) pause(ctx context.Context, wait *time.Duration) error {
	t := time.NewTimer(time.Duration(rand.Int64N(int64(*wait))) + time.Millisecond)
	defer t.Stop()
	*wait = min(2**wait, lastWait)
	select {
	case <-t.C:
	case <-w.stop:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// idle lets the sink do what is due while nothing comes.
func (w *Worker) idle(ctx context.Context, now time.Time) {
	i, ok := w.cfg.Sink.(sink.Idler)
	if !ok {
		return
	}
	if err := i.Idle(ctx, w.cfg.Topic, w.cfg.Partition, now); err != nil && ctx.Err() == nil {
		w.cfg.Logger.Warn("the sink could not do what is due by age", "topic", w.cfg.Topic, "partition", w.cfg.Partition, "error", err)
	}
}
