package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// BrokerConfig says what to measure a broker with.
type BrokerConfig struct {
	Setup
	Size Size // how much; required
}

// Validate lists every complaint about the configuration.
func (c BrokerConfig) Validate() error {
	errs := c.complaints(BrokerLegs())
	if c.Size.Rounds < 1 {
		errs = append(errs, errors.New("Size must be one of Sizes"))
	}
	return errors.Join(errs...)
}

// BrokerReport is what the measurement of a broker found. A figure that is not known is null.
type BrokerReport struct {
	CPUs  int         `json:"cpus"`
	Size  string      `json:"size"`
	Kafka string      `json:"kafka"` // the version beside it, "" when there was none
	Rows  []Row       `json:"rows"`
	Legs  []BrokerLeg `json:"legs"`
}

// BrokerLeg is what one server, or one agent, did in one leg: the median of the rounds for each figure. MB and GB are 10^6 and 10^9
// bytes of the records' values, or of whole batches where those are built by hand.
type BrokerLeg struct {
	Name      string   `json:"name"`
	Server    string   `json:"server"` // loghaul, kafka, or the bare loop
	LinesPerS *float64 `json:"lines_per_s"`
	MBPerS    *float64 `json:"mb_per_s"`
	CPUSPerGB *float64 `json:"cpu_s_per_gb"` // the server's processor time, user and system
	PeakRSSMB *float64 `json:"peak_rss_mb"`  // the most resident memory of the server during the leg
	P50MS     *float64 `json:"p50_ms,omitempty"`
	P99MS     *float64 `json:"p99_ms,omitempty"`
	CPU       *float64 `json:"cpu_percent,omitempty"` // of one core
	ReadyMS   *float64 `json:"ready_ms,omitempty"`    // from the start of the process until it serves
	Records   *float64 `json:"records,omitempty"`     // found at the end
	Open      *float64 `json:"descriptors,omitempty"` // files held open
}

// Servers that a leg may name.
const (
	ours   = "loghaul"
	apache = "kafka"
	bare   = "bare loop"
)

// brokerBench is one measurement of brokers.
type brokerBench struct {
	BrokerConfig
	dir    string
	makers []maker
	kafka  *apacheKafka // nil: there is none
}

// Broker measures the broker on everything that was asked for, with a real Kafka beside it where there is one: each leg
// starts a fresh server, and the servers take turns. What could not be
// measured, after an interrupt too, is the error; the rest is in the report.
func Broker(ctx context.Context, cfg BrokerConfig) (r BrokerReport, err error) {
	if err := cfg.Validate(); err != nil {
		return r, err
	}
	b := &brokerBench{BrokerConfig: cfg}
	if b.dir, err = b.folder(); err != nil {
		return r, err
	}
	defer os.RemoveAll(b.dir)
	r = BrokerReport{CPUs: runtime.NumCPU(), Size: cfg.Size.Name}
	if b.makers, b.kafka, r.Kafka, err = b.servers(); err != nil {
		return r, err
	}
	r.Legs, err = b.each(ctx, BrokerLegs(), func(i int) ([]BrokerLeg, error) {
		if legs[i].java && b.kafka == nil {
			b.Say("%s is left out: it needs Kafka's own tools", legs[i].name)
			return nil, nil
		}
		return b.leg(ctx, legs[i])
	})
	r.Rows = rows(cfg.Size, r.Legs)
	return r, err
}

// leg runs one leg in all its rounds on all servers, and sums them up. A server that fails has no more rounds.
func (b *brokerBench) leg(ctx context.Context, l leg) (found []BrokerLeg, err error) {
	turns := slices.Clone(b.makers)
	if l.alone {
		turns = turns[:1]
	}
	for round := range min(b.Size.Rounds, l.rounds) {
		for _, m := range slices.Clone(turns) {
			if ctx.Err() != nil {
				break
			}
			b.Say("%s, round %d: %s", l.name, round+1, m.name())
			legs, failed := b.turn(ctx, l, m)
			found = append(found, legs...)
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("measuring %s: %s: %w", l.name, m.name(), failed))
				turns = slices.DeleteFunc(turns, func(o maker) bool { return o == m })
			}
		}
		slices.Reverse(turns)
	}
	return medians(found), err
}

// turn measures one server, which starts with an empty folder and leaves nothing behind, on the disk neither: what it
// had not written yet would burden the next.
func (b *brokerBench) turn(ctx context.Context, l leg, m maker) ([]BrokerLeg, error) {
	data := filepath.Join(b.dir, "data")
	defer func() {
		os.RemoveAll(data)
		settleDisk()
	}()
	s, err := startServer(ctx, m, data)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	found, err := l.measure(ctx, b, s)
	if _, quoted := errors.AsType[*lastWords](err); err != nil && !quoted {
		err = fmt.Errorf("%w; %w", err, s.process.failed("may know more"))
	}
	return found, err
}
