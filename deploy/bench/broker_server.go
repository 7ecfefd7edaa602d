package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maker starts servers of one kind.
type maker interface {
	name() string
	// start runs a server on a data folder, which it keeps if there is something in it, and waits until it serves.
	start(ctx context.Context, data string) (*process, string, error)
}

// server is one that is measured; its processes may come and go, its data stays.
type server struct {
	maker
	data    string
	process *process
	addr    string
}

func startServer(ctx context.Context, m maker, data string) (*server, error) {
	pr, addr, err := m.start(ctx, data)
	return &server{m, data, pr, addr}, err
}

// again starts the server on the data that it had.
func (s *server) again(ctx context.Context) error {
	pr, addr, err := s.start(ctx, s.data)
	if err == nil {
		s.process, s.addr = pr, addr
	}
	return err
}

// kill ends the process where it is, if it still runs.
func (s *server) kill() { s.process.kill() }

// loghaul is the broker of this program.
type loghaul struct {
	program string
	env     []string
}

func (*loghaul) name() string { return ours }

func (l *loghaul) start(ctx context.Context, data string) (*process, string, error) {
	pr, err := startLoghaul(ctx, l.program, l.env, "broker", "--data", data, "--listen", "127.0.0.1:0", "--admin", "none")
	if err != nil {
		return nil, "", err
	}
	return pr, pr.where["broker"], nil
}

// watched is a span of a server's life: what it used since.
type watched struct {
	process *process
	name    string
	began   time.Time
	cpu     time.Duration
	known   bool
}

// watch begins a span; the peak of the memory is counted from here.
func (s *server) watch() watched {
	s.process.forgetPeak()
	cpu, known := s.process.used()
	return watched{s.process, s.name(), time.Now(), cpu, known}
}

// leg ends the span, in which so many records and bytes were moved in the time that took says, or since the span
// began.
func (w watched) leg(name string, records, bytes float64, took time.Duration) BrokerLeg {
	if took == 0 {
		took = time.Since(w.began)
	}
	l := BrokerLeg{Name: name, Server: w.name, LinesPerS: new(records / took.Seconds()), MBPerS: new(bytes / 1e6 / took.Seconds())}
	l.PeakRSSMB = w.process.memoryMB("VmHWM:")
	if cpu, ok := w.process.used(); ok && w.known {
		l.CPUSPerGB = new((cpu - w.cpu).Seconds() / (bytes / 1e9))
	}
	return l
}

// percent ends the span: the processor time in percent of one core.
func (w watched) percent() *float64 {
	cpu, ok := w.process.used()
	if !ok || !w.known {
		return nil
	}
	return new(100 * (cpu - w.cpu).Seconds() / time.Since(w.began).Seconds())
}

// call asks the broker at addr once.
func call(ctx context.Context, addr string, req kmsg.Request) (kmsg.Response, error) {
	conn, err := kafka.Config{ClientID: "loghaul-bench"}.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Call(ctx, req)
}

// retry does something until it succeeds, the context ends or the patience.
func retry(ctx context.Context, every time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		err := do(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// pause waits for a while, or for the end of the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
