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

// AgentConfig says what to measure an agent with.
type AgentConfig struct {
	Setup
	Size      AgentSize // how much; required
	Rsyslog   string    // the rsyslogd executable; "" looks for it, none does without
	Collector string    // an OpenTelemetry Collector with filelog and kafka; "" looks into the user's cache folder, none does without
}

// Validate lists every complaint about the configuration.
func (c AgentConfig) Validate() error {
	errs := c.complaints(AgentLegs())
	if c.Size.Rounds < 1 {
		errs = append(errs, errors.New("Size must be one of AgentSizes"))
	}
	return errors.Join(errs...)
}

// AgentReport is what the measurement of an agent found. A figure that is not known is null.
type AgentReport struct {
	CPUs   int         `json:"cpus"`
	Size   string      `json:"size"`
	Kafka  string      `json:"kafka"`  // the version that was there, "" for none
	Beside []string    `json:"beside"` // the other agents that were there
	Rows   []Row       `json:"rows"`
	Legs   []BrokerLeg `json:"legs"` // of an agent each: the processor time and the memory are the agent's
}

// agentBench is one measurement of agents.
type agentBench struct {
	AgentConfig
	dir      string
	brokers  []maker   // the bundled one, then Apache Kafka if it is there
	shippers []shipper // this program's agent, then the others that are there
}

// Agent measures the agent on everything that was asked for, with other agents beside it on the same work where they are
// installed: they take turns on one broker, each with a topic of its own. What could not be measured, after an interrupt
// too, is the error; the rest is in the report.
func Agent(ctx context.Context, cfg AgentConfig) (r AgentReport, err error) {
	if err := cfg.Validate(); err != nil {
		return r, err
	}
	b := &agentBench{AgentConfig: cfg}
	r = AgentReport{CPUs: runtime.NumCPU(), Size: cfg.Size.Name, Beside: []string{}}
	if b.brokers, _, r.Kafka, err = b.servers(); err != nil {
		return r, err
	}
	if r.Beside, err = b.findShippers(); err != nil {
		return r, err
	}
	if b.dir, err = b.folder(); err != nil {
		return r, err
	}
	defer os.RemoveAll(b.dir)
	if err := os.Mkdir(b.path("log"), 0o755); err != nil {
		return r, err
	}
	r.Legs, err = b.each(ctx, AgentLegs(), func(i int) ([]BrokerLeg, error) { return b.leg(ctx, agentLegs[i]) })
	r.Rows = rowsOf(agentGoals(cfg.Size), r.Legs)
	return r, err
}

// leg runs one leg in all its rounds, and sums them up; one that fails has no more.
func (b *agentBench) leg(ctx context.Context, l agentLeg) (found []BrokerLeg, err error) {
	for round := range min(b.Size.Rounds, l.rounds) {
		b.Say("%s, round %d", l.name, round+1)
		legs, failed := l.measure(ctx, b)
		found = append(found, legs...)
		if failed != nil {
			err = fmt.Errorf("measuring %s: %w", l.name, failed)
			break
		}
		slices.Reverse(b.shippers)
	}
	return medians(found), err
}

func (b *agentBench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

// accessLog is a log of so many lines, generated when it is first asked for.
func (b *agentBench) accessLog(lines int) (path string, err error) {
	path = b.path("log", fmt.Sprintf("access-%d.log", lines))
	if fileSize(path) == int64(lines)*lineBytes {
		return path, nil
	}
	b.Say("generating %d lines of %d bytes in %s", lines, lineBytes, b.dir)
	return path, writeLog(path, lines)
}

// on runs a measurement on a broker with an empty folder, and leaves nothing behind.
func (b *agentBench) on(ctx context.Context, m maker, measure func(*server) ([]BrokerLeg, error)) ([]BrokerLeg, error) {
	data := b.path("data")
	defer func() {
		os.RemoveAll(data)
		settleDisk()
	}()
	s, err := startServer(ctx, m, data)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	return measure(s)
}
