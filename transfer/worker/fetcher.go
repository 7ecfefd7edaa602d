package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
)

// Cluster is what a Fetcher asks about the brokers.
type Cluster interface {
	// Leader is the address of a partition's leader.
	Leader(ctx context.Context, topic string, partition int32) (addr string, err error)
	// Forget says that what is known of a partition's leader is out of date.
	Forget(topic string, partition int32)
	// Dial connects to a broker.
	Dial(ctx context.Context, addr string) (*kafka.Conn, error)
}

// FetchConfig says how a Fetcher reads.
type FetchConfig struct {
	Cluster  Cluster
	Portion  *Portion
	MinBytes int32         // the broker waits for this much. Default 1
	MaxWait  time.Duration // but no longer than this. Default 500 ms
	MaxBytes int32         // of one answer. Default 8 MiB
	// Logger gets what was lost to retention. Default: nowhere.
	Logger *slog.Logger
}

// Backoff of a feed whose leader cannot be found or reached.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// Fetcher reads the partitions of one route: one connection to each leader, and in one request all of its partitions
// that can take something.
type Fetcher struct {
	cfg  FetchConfig
	wake chan struct{} // holds a token when homeless has grown; capacity 1

	mu struct {
		sync.Mutex
		homeless []*feed // their leader is to be looked for
	}
	// Run alone uses these.
	leaders map[string]*leader // by address
	ended   chan *leader       // from a leader's goroutine when it ends
	wg      sync.WaitGroup
}

// NewFetcher makes a Fetcher; it starts nothing.
func NewFetcher(cfg FetchConfig) *Fetcher {
	if cfg.MinBytes <= 0 {
		cfg.MinBytes = 1
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = 500 * time.Millisecond
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 8 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Fetcher{cfg: cfg, wake: make(chan struct{}, 1), leaders: map[string]*leader{}, ended: make(chan *leader)}
}

// open begins to read a partition at offset.
func (f *Fetcher) open(topic string, partition int32, offset record.Offset) *feed {
	d := &feed{topic: topic, partition: partition, ready: make(chan struct{}, 1)}
	d.mu.next, d.mu.high = offset, -1
	f.rehome(d)
	return d
}

// rehome hands a feed to Run, which finds its leader.
func (f *Fetcher) rehome(feeds ...*feed) {
	f.mu.Lock()
	f.mu.homeless = append(f.mu.homeless, feeds...)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run finds leaders and reads from them until ctx ends; it returns nil when every connection is closed.
func (f *Fetcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer f.wg.Wait()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var waiting []*feed
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-f.ended:
			if f.leaders[l.addr] == l {
				delete(f.leaders, l.addr)
			}
		case <-f.wake:
		case <-timer.C:
		}
		f.mu.Lock()
		waiting = append(waiting, f.mu.homeless...)
		f.mu.homeless = nil
		f.mu.Unlock()
		waiting = f.settle(ctx, waiting)
		next := lastRetry
		for _, d := range waiting {
			next = min(next, d.untilDue())
		}
		timer.Reset(max(next, time.Millisecond))
	}
}

// settle finds the leader of each feed that is due and returns the feeds that still have none.
func (f *Fetcher) settle(ctx context.Context, feeds []*feed) []*feed {
	var left []*feed
	for _, d := range feeds {
		if d.isClosed() {
			continue
		}
		if d.untilDue() > 0 {
			left = append(left, d)
			continue
		}
		addr, err := f.cfg.Cluster.Leader(ctx, d.topic, d.partition)
		if err == nil && f.leader(ctx, addr).join(d) {
			continue
		}
		if err != nil {
			d.troubled(fmt.Errorf("looking for the leader of %s/%d: %w", d.topic, d.partition, err))
		}
		d.backOff()
		left = append(left, d)
	}
	return left
}

// leader is the one at addr, started when it is new.
func (f *Fetcher) leader(ctx context.Context, addr string) *leader {
	if l := f.leaders[addr]; l != nil {
		return l
	}
	l := newLeader(f, addr)
	f.leaders[addr] = l
	f.wg.Go(func() {
		l.run(ctx)
		select {
		case f.ended <- l:
		case <-ctx.Done():
		}
	})
	return l
}
