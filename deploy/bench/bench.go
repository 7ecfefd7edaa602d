// Package bench holds the published measurements: each runs the parts as they are, as processes of their own, checks
// that every line arrived, and prints what it took.
//
// What "loghaul bench pipe" printed on two shared cores (AMD EPYC), 3,000,000 lines of 170 bytes, snappy, acks=all with
// fsync, and an fsync before every commit:
//
//	LEG            LINES/S  MB/S  CPU S/GB  PEAK RSS MB
//	file to topic  1322629  225   6.34      78
//	  agent                       3.38      41
//	  broker                      2.96      37
//	topic to file  1318151  224   3.21      174
//	  transfer                    2.93      140
//	  broker                      0.27      34
//
// Runs of the same day ranged from 1.0 to 1.85 million lines/s on the first leg and from 0.5 to 1.3 million on the
// second, with what else the machine had to do: read ratios, and runs side by side.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Config says what to measure with.
type Config struct {
	Program string                           // the loghaul executable; required
	Env     []string                         // added to its environment
	Lines   int                              // of the generated log, 170 bytes each; required
	Dir     string                           // existing folder for everything generated and stored; "" is the system's
	Say     func(format string, args ...any) // hears what is going on; required
}

// Validate lists every complaint about the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Program == "" {
		errs = append(errs, errors.New("Program must be given"))
	}
	if c.Lines < 1 {
		errs = append(errs, fmt.Errorf("Lines (%d) must be at least 1", c.Lines))
	}
	if c.Say == nil {
		errs = append(errs, errors.New("Say must be given"))
	}
	return errors.Join(errs...)
}

// Report is what a measurement found. A figure that this machine does not tell is null.
type Report struct {
	Lines int   `json:"lines"`
	Bytes int64 `json:"bytes"`
	CPUs  int   `json:"cpus"`
	Legs  []Leg `json:"legs"`
}

// Leg is one part of the lines' way. MB and GB are of the log's own bytes, 10^6 and 10^9.
type Leg struct {
	Name      string   `json:"name"`
	LinesPerS float64  `json:"lines_per_s"`
	MBPerS    float64  `json:"mb_per_s"`
	CPUSPerGB float64  `json:"cpu_s_per_gb"` // seconds of processor time, user and system, of all its processes
	PeakRSSMB *float64 `json:"peak_rss_mb"`  // the sum of its processes' peaks
	Parts     []Part   `json:"parts"`        // each process's share
}

// Part is one process's share of a leg.
type Part struct {
	Name      string   `json:"name"`
	CPUSPerGB float64  `json:"cpu_s_per_gb"`
	PeakRSSMB *float64 `json:"peak_rss_mb"`
}

// pipe is the whole way: a file, the topic, a file again.
type pipe struct {
	Config
	dir   string
	bytes int64 // of the log
}

// Pipe runs a generated log from its file to the topic, and from the topic to a file, and checks that the file at the
// end is the one at the beginning.
func Pipe(ctx context.Context, cfg Config) (r Report, err error) {
	if err := cfg.Validate(); err != nil {
		return r, err
	}
	p := &pipe{Config: cfg, bytes: int64(cfg.Lines) * lineBytes}
	if p.dir, err = os.MkdirTemp(cfg.Dir, "loghaul-bench-"); err != nil {
		return r, fmt.Errorf("making a folder for the measurement: %w", err)
	}
	defer os.RemoveAll(p.dir)
	if err := p.prepare(); err != nil {
		return r, err
	}
	r = Report{Lines: cfg.Lines, Bytes: p.bytes, CPUs: runtime.NumCPU()}
	for _, leg := range []func(context.Context) (Leg, error){p.fileToTopic, p.topicToFile} {
		l, err := leg(ctx)
		if err != nil {
			return r, err
		}
		r.Legs = append(r.Legs, l)
	}
	return r, nil
}

func (p *pipe) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// prepare generates the log and the configuration of agent and transfer.
func (p *pipe) prepare() error {
	p.Say("generating %d lines of %d bytes in %s", p.Lines, lineBytes, p.dir)
	for _, dir := range []string{"log", "inputs", "sinks", "out"} {
		if err := os.Mkdir(p.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := writeLog(p.path("log", "access.log"), p.Lines); err != nil {
		return err
	}
	input := fmt.Sprintf(`{"paths":[%q],"topic":"bench"}`, p.path("log", "access.log"))
	if err := os.WriteFile(p.path("inputs", "bench.json"), []byte(input), 0o600); err != nil {
		return err
	}
	sink := `{"type":"file","topics":["bench"],"path":"{topic}/{partition}.log","roll":{"bytes":1099511627776,"age":"24h"}}`
	return os.WriteFile(p.path("sinks", "file.json"), []byte(sink), 0o600)
}

// startBroker runs a broker on the measurement's data.
func (p *pipe) startBroker(ctx context.Context) (*process, string, error) {
	b, err := p.start(ctx, "broker", "--data", p.path("broker"), "--listen", "127.0.0.1:0", "--create-topics", "bench:1", "--admin", "none")
	if err != nil {
		return nil, "", err
	}
	addr := b.where["broker"]
	if addr == "" {
		b.kill()
		return nil, "", errors.New("the broker did not say where it listens")
	}
	return b, addr, nil
}

// fileToTopic runs the agent once over the log.
func (p *pipe) fileToTopic(ctx context.Context) (Leg, error) {
	p.Say("file to topic")
	broker, addr, err := p.startBroker(ctx)
	if err != nil {
		return Leg{}, err
	}
	defer broker.kill()
	begin := time.Now()
	agent, err := p.start(ctx, "agent", "--data", p.path("agent"), "--host", "bench", "--allow-root", p.path("log"),
		"--inputs", p.path("inputs"), "--etcd", "none", "--brokers", addr, "--once", "--admin", "none")
	if err != nil {
		return Leg{}, err
	}
	defer agent.kill()
	if err := agent.wait(ctx); err != nil {
		return Leg{}, err
	}
	took := time.Since(begin)
	if err := p.countTopic(ctx, addr); err != nil {
		return Leg{}, err
	}
	if err := broker.stop(ctx); err != nil {
		return Leg{}, err
	}
	return p.leg("file to topic", took, agent, broker), nil
}

// topicToFile runs a transfer until its file holds every line.
func (p *pipe) topicToFile(ctx context.Context) (Leg, error) {
	p.Say("topic to file")
	broker, addr, err := p.startBroker(ctx)
	if err != nil {
		return Leg{}, err
	}
	defer broker.kill()
	begin := time.Now()
	transfer, err := p.start(ctx, "transfer", "--data", p.path("transfer"), "--out-root", p.path("out"),
		"--sinks", p.path("sinks"), "--etcd", "none", "--brokers", addr, "--admin", "none")
	if err != nil {
		return Leg{}, err
	}
	defer transfer.kill()
	out := p.path("out", "bench", "0.log")
	if err := transfer.until(ctx, func() bool { return fileSize(out) >= p.bytes }); err != nil {
		return Leg{}, fmt.Errorf("%w: %s holds %d of %d bytes", err, out, fileSize(out), p.bytes)
	}
	took := time.Since(begin)
	if err := transfer.stop(ctx); err != nil {
		return Leg{}, err
	}
	if err := broker.stop(ctx); err != nil {
		return Leg{}, err
	}
	if err := sameBytes(p.path("log", "access.log"), out); err != nil {
		return Leg{}, err
	}
	return p.leg("topic to file", took, transfer, broker), nil
}

// leg turns what the processes took into figures.
func (p *pipe) leg(name string, took time.Duration, processes ...*process) Leg {
	l := Leg{
		Name:      name,
		LinesPerS: float64(p.Lines) / took.Seconds(),
		MBPerS:    float64(p.bytes) / 1e6 / took.Seconds(),
		PeakRSSMB: new(float64),
	}
	for _, pr := range processes {
		part := Part{Name: pr.name, CPUSPerGB: pr.cpu().Seconds() / (float64(p.bytes) / 1e9), PeakRSSMB: pr.peakMB()}
		l.CPUSPerGB += part.CPUSPerGB
		if part.PeakRSSMB == nil {
			l.PeakRSSMB = nil
		} else if l.PeakRSSMB != nil {
			*l.PeakRSSMB += *part.PeakRSSMB
		}
		l.Parts = append(l.Parts, part)
	}
	return l
}
