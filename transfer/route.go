package transfer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/worker"
)

// Waits of a route.
const (
	lookWhileMissing = 250 * time.Millisecond // for a topic that is not there yet
	lookOtherwise    = 2 * time.Second        // for new topics and partitions
	firstRouteWait   = 100 * time.Millisecond // after a failure, doubled each time
	lastRouteWait    = 5 * time.Second
)

// route serves one sink's value: it joins the group, and a worker moves each partition that it is given.
type route struct {
	env   *env
	value etcdconf.Sink
	log   *slog.Logger
	coord *coordinator

	// run sets these before anything else uses them.
	sink    sink.Sink
	owner   string
	fetcher *worker.Fetcher
	wg      sync.WaitGroup // of workers: one that hangs in its sink outlives its session

	mu struct {
		sync.Mutex
		topics  map[string]topic // as last seen, those that match
		workers []*worker.Worker // of the session
		serving map[place]*worker.Worker
		who     member
		err     error // why nothing is assigned
	}
}

func newRoute(env *env, value etcdconf.Sink) *route {
	r := &route{
		env: env, value: value, log: env.log.With("sink", value.Name),
		coord: &coordinator{cluster: env.cluster, group: value.Group},
	}
	r.mu.serving = map[place]*worker.Worker{}
	return r
}

// run serves the value until ctx ends; then it drains, commits and leaves the group. hard ends what drains too long.
func (r *route) run(ctx, hard context.Context) {
	if r.value.Paused {
		return
	}
	var err error
	for wait := firstRouteWait; ; wait = min(2*wait, lastRouteWait) {
		if r.sink, r.owner, err = r.env.openSink(r.value); err == nil {
			break
		}
		r.failing(sink.Stop(err))
		if !sleep(ctx, wait) {
			return
		}
	}
	portion := r.env.budget.Join()
	r.fetcher = worker.NewFetcher(worker.FetchConfig{
		Cluster: r.env.cluster, Portion: portion, Logger: r.log, MinBytes: int32(r.value.Fetch.MinBytes),
		MaxWait: r.value.Fetch.MaxWait.Std(), MaxBytes: int32(r.value.Fetch.MaxBytes),
	})
	fetching, stop := context.WithCancel(hard)
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.fetcher.Run(fetching) }) // returns nil when fetching ends
	r.member(ctx, hard)
	r.wg.Wait()
	stop()
	wg.Wait()
	r.coord.close()
	r.env.budget.Leave(portion)
	if err := r.sink.Close(); err != nil {
		r.log.Warn("closing the sink", "error", err)
	}
}

// serve runs a worker. One that still holds the partition from an earlier session is waited for.
func (r *route) serve(ctx context.Context, w *worker.Worker, at place) {
	r.mu.Lock()
	before := r.mu.serving[at]
	r.mu.serving[at] = w
	r.mu.Unlock()
	r.wg.Go(func() {
		if before != nil {
			<-before.Done()
		}
		err := w.Run(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.Warn("a partition was let go", "topic", at.topic, "partition", at.partition, "error", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.mu.serving[at] == w {
			delete(r.mu.serving, at)
		}
	})
}

func (r *route) newWorker(name string, partition int32, id string, c *commits) *worker.Worker {
	return worker.New(worker.Config{
		Topic: name, Partition: partition, Incarnation: id, Sink: r.sink, Fetcher: r.fetcher, Commits: c, Origins: r,
		Limits: limits(r.value), Owner: r.owner, Digest: digest(r.value), Logger: r.log,
		Stored: func(b sink.Batch, bytes int, took time.Duration) { r.env.metrics.stored(r.value.Name, b, bytes, took) },
	})
}

func (r *route) joined(who member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.who, r.mu.err = who, nil
}

// isMember says that the group has answered, whatever it assigned.
func (r *route) isMember() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.who.id != ""
}

// current are the workers of the partitions that are assigned now.
func (r *route) current() []*worker.Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.workers
}

// stops says whether an error needs somebody to mend something.
func stops(err error) bool { return sink.Stops(err) }

func (r *route) assigned(workers []*worker.Worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.workers = workers
}

// failing notes why nothing is assigned; it is logged when it is new.
func (r *route) failing(err error) {
	r.mu.Lock()
	was := r.mu.err
	r.mu.err = err
	r.mu.Unlock()
	if was == nil || was.Error() != err.Error() {
		r.log.Warn("the route waits", "error", err)
	}
}

// sleep waits; no when ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
