package produce

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/kafka"
)

// Client sends batches to one cluster. It is safe for concurrent use.
type Client struct {
	cfg   Config
	conf  *sarama.Config
	log   *slog.Logger
	spawn chan func(context.Context) // Run takes these up; closed by nobody

	renewed atomic.Bool // our producer id was given to this process: nobody has used it
	doubles atomic.Int64
	retries atomic.Int64

	// mu is taken before a Partition's or a link's, never inside one.
	mu struct {
		sync.Mutex
		sarama sarama.Client // nil until the cluster answered; Run closes it
		links  map[string]*link
		parts  map[journal.Partition]*Partition
	}
	// open counts the batches that were sent and are not acknowledged.
	open struct {
		sync.Mutex
		n    int
		zero chan struct{} // closed when n falls to 0; nil when nobody waits
	}
	once bindOnce
}

// New checks cfg. It connects to nothing; connections that are made later end with
// ctx at the latest, also those that wait for a broker which never answers.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	conf, err := cfg.Kafka.Sarama()
	if err != nil {
		return nil, err
	}
	kafka.EndWith(ctx, conf)
	// A topic that somebody deleted must not come back because we ask about it:
	// creation is asked for once, by Topic.
	conf.Metadata.AllowAutoTopicCreation = false
	conf.Metadata.Full = false
	conf.Metadata.Retry.Max = 0 // the retry loop is ours
	cfg = cfg.withDefaults()
	c := &Client{cfg: cfg, conf: conf, log: cfg.Logger, spawn: make(chan func(context.Context))}
	c.mu.links, c.mu.parts = map[string]*link{}, map[journal.Partition]*Partition{}
	return c, nil
}

// Run owns every goroutine of the client until ctx ends. What is not acknowledged
// then stays in doubt in the journal; Drain first to have nothing left.
func (c *Client) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer c.close()
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-c.spawn:
			all.Go(func() { f(ctx) })
		}
	}
}

// close ends what the goroutines, which are gone by now, left open.
func (c *Client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.mu.links {
		l.close()
	}
	if c.mu.sarama != nil {
		c.mu.sarama.Close()
	}
}

// start runs f under Run; false: ctx ended first.
func (c *Client) start(ctx context.Context, f func(context.Context)) bool {
	select {
	case c.spawn <- f:
		return true
	case <-ctx.Done():
		return false
	}
}

// Drain returns when every batch sent so far is acknowledged, or with ctx's error.
func (c *Client) Drain(ctx context.Context) error {
	for {
		c.open.Lock()
		if c.open.n == 0 {
			c.open.Unlock()
			return nil
		}
		if c.open.zero == nil {
			c.open.zero = make(chan struct{})
		}
		zero := c.open.zero
		c.open.Unlock()
		select {
		case <-zero:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// InFlight is the number of batches sent and not acknowledged.
func (c *Client) InFlight() int {
	c.open.Lock()
	defer c.open.Unlock()
	return c.open.n
}

// PossibleDoubles counts the records that were sent again without proof that they
// were missing.
func (c *Client) PossibleDoubles() int64 { return c.doubles.Load() }

// MayDouble counts records of which it turned out elsewhere that they may be sent again.
func (c *Client) MayDouble(records int64) { c.doubles.Add(records) }

// Retries counts the times that sending to a partition was stopped and begun anew.
func (c *Client) Retries() int64 { return c.retries.Load() }

func (c *Client) count(n int) {
	c.open.Lock()
	defer c.open.Unlock()
	if c.open.n += n; c.open.n == 0 && c.open.zero != nil {
		close(c.open.zero)
		c.open.zero = nil
	}
}

// link is the connection to the broker at addr, made when it is first needed.
func (c *Client) link(ctx context.Context, addr string) *link {
	c.mu.Lock()
	l := c.mu.links[addr]
	fresh := l == nil
	if fresh {
		l = newLink(c, addr)
		c.mu.links[addr] = l
	}
	c.mu.Unlock()
	if fresh {
		c.start(ctx, l.run)
	}
	return l
}

// pause waits before try number n.
func (c *Client) pause(ctx context.Context, n int) { sleep(ctx, c.backoff(n)) }

// backoff is the wait before try number n: longer each time, scattered so that many
// agents do not come back at once.
func (c *Client) backoff(n int) time.Duration {
	d := c.cfg.BackoffMin << min(n, 20)
	if d > c.cfg.BackoffMax || d <= 0 {
		d = c.cfg.BackoffMax
	}
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
