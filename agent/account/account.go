// Package account hands what an agent knows of each file generation to the compacted
// topic loghaul.account (internal/ledger), a bounded number of entries at a time. What
// cannot be sent now is sent later: lines never wait for it.
package account

import (
	"context"
	"log/slog"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/ledger"
)

// Source knows the account.
type Source interface {
	// Changed lists entries that are news since it was last asked, most at most.
	Changed(most int) []ledger.Entry
	// Forgotten lists those of which nothing is known any more since it was last asked.
	Forgotten() []ledger.Entry
}

// Config says where the account goes and how often.
type Config struct {
	// Kafka is the cluster.
	Kafka kafka.Config
	// Topic is made, compacted and with one partition, if it is not there. Default
	// ledger.Topic.
	Topic string
	// Every is the time between two rounds. Default 5 s.
	Every time.Duration
	// Most is how many entries go in one round. Default 1000, which is about 400 kB.
	Most int
	// Source knows the account.
	Source Source
	// Logger gets a line when sending fails and when it works again. Default: none.
	Logger *slog.Logger
}

// Publisher sends the account. One goroutine at a time uses it.
type Publisher struct {
	cfg     Config
	way     way
	waiting []ledger.Entry // taken from the source and not sent
	gone    []ledger.Entry
	failing bool
}

// New makes a Publisher, which connects to nothing yet.
func New(cfg Config) *Publisher {
	if cfg.Topic == "" {
		cfg.Topic = ledger.Topic
	}
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Most == 0 {
		cfg.Most = 1000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Publisher{cfg: cfg, way: way{kafka: cfg.Kafka, topic: cfg.Topic}}
}

// Run sends what changes until ctx ends. What could not be sent by then is left to Flush.
func (p *Publisher) Run(ctx context.Context) error {
	tick := time.NewTicker(p.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := p.round(ctx); err != nil {
			p.tell(ctx, err)
		} else if p.failing {
			p.failing = false
			p.cfg.Logger.Info("the account is sent again", "topic", p.cfg.Topic)
		}
	}
}

// Flush sends all that is left, and closes the connection.
func (p *Publisher) Flush(ctx context.Context) error {
	defer p.way.close()
	for {
		if more, err := p.round(ctx); err != nil || !more {
			return err
		}
	}
}

// tell says once, until it works again, that the account cannot be sent.
func (p *Publisher) tell(ctx context.Context, err error) {
	if !p.failing && ctx.Err() == nil {
		p.failing = true
		p.cfg.Logger.Warn("the account cannot be sent now; it is tried again, and lines do not wait for it", "topic", p.cfg.Topic, "err", err)
	}
}

// round sends what is left of the last round, or what is news; more says that there was
// something.
func (p *Publisher) round(ctx context.Context) (more bool, err error) {
	if len(p.waiting)+len(p.gone) == 0 {
		p.waiting, p.gone = p.cfg.Source.Changed(p.cfg.Most), p.cfg.Source.Forgotten()
	}
	if len(p.waiting)+len(p.gone) == 0 {
		return false, nil
	}
	if err := p.way.send(ctx, p.waiting, p.gone); err != nil {
		return true, err
	}
	p.waiting, p.gone = nil, nil
	return true, nil
}
