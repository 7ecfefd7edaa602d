package cli

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"

	"github.com/loghaul/loghaul/internal/admin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// service is what every long-running command has around its parts: their stages, one registry of metrics, the admin
// listener, and the line that says where all of it is.
type service struct {
	g       *globals
	stages  *stages
	metrics *prometheus.Registry
	serving atomic.Bool
	watched atomic.Pointer[watched] // the part that can say more than that; nil: none
	where   []string                // "broker=127.0.0.1:9092", in the order of starting
}

func newService(g *globals) *service {
	s := &service{g: g, stages: newStages(), metrics: prometheus.NewRegistry()}
	s.stages.say = g.sayf
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// startAdmin opens the admin listener; flag is the one that chooses another address. "none" does without.
func (s *service) startAdmin(ctx context.Context, addr, flag string) error {
	if addr == "none" {
		return nil
	}
	a, err := admin.New(admin.Config{Listen: addr, Metrics: s.metrics, Logger: s.g.log, Serving: s.why, Notes: s.notes})
	if err != nil {
		return usageErrorf("%s: %w", flag, err)
	}
	if err := s.stages.start(ctx, "admin", a); err != nil {
		return withFlag(err, flag)
	}
	s.where = append(s.where, "admin=http://"+a.Addr())
	return nil
}

// watched is a part that knows whether it serves, and what an operator should know although it does.
type watched interface {
	Serving() error
	Notes() []string
}

// watch asks a part for /readyz from now on, if it can be asked.
func (s *service) watch(p part) {
	if w, ok := p.(watched); ok {
		s.watched.Store(&w)
	}
}

// why is nil while the process serves, else why it does not.
func (s *service) why() error {
	if w := s.watched.Load(); w != nil {
		if err := (*w).Serving(); err != nil {
			return err
		}
	}
	if !s.serving.Load() {
		return errors.New("not serving yet, or draining")
	}
	return nil
}

// notes are what the part says beside that.
func (s *service) notes() []string {
	if w := s.watched.Load(); w != nil {
		return (*w).Notes()
	}
	return nil
}

// ready prints the line that says that this process serves, and where.
func (s *service) ready() {
	s.serving.Store(true)
	s.g.sayf("%s", strings.Join(append([]string{"ready:"}, s.where...), " "))
}

// runPart is the whole life of a process with one part: admin first, so that a part that waits can be asked why.
func (s *service) runPart(ctx context.Context, name string, p part, adminAddr string) error {
	s.watch(p)
	err := s.startAdmin(ctx, adminAddr, "--admin")
	if err == nil {
		err = s.stages.start(ctx, name, p)
	}
	if err == nil {
		if a, ok := p.(interface{ Addr() string }); ok {
			at := a.Addr()
			if l, ok := p.(interface{ Addrs() []string }); ok && len(l.Addrs()) > 1 {
				at = strings.Join(l.Addrs(), ",")
			}
			s.where = append([]string{name + "=" + at}, s.where...)
		}
		s.ready()
		err = s.stages.wait(ctx)
	}
	s.serving.Store(false)
	if e, ok := errors.AsType[*stageError](err); ok {
		err = e.err // there is only one part to name
	}
	return s.stages.finish(ctx, err)
}

// needData refuses a command whose part has nowhere to keep its state.
func needData(dir, part string) error {
	if dir == "" {
		return usageErrorf("--data is required: name a folder where the %s keeps its state, as in --data /var/lib/loghaul/%s", part, part)
	}
	return nil
}

// checkAddresses refuses a flag's addresses that are not [NAME://]HOST:PORT.
func checkAddresses(flag string, addrs ...string) error {
	for _, addr := range addrs {
		_, at, named := strings.Cut(addr, "://")
		if !named {
			at = addr
		}
		if _, _, err := net.SplitHostPort(at); err != nil {
			return usageErrorf("%s %s: must be HOST:PORT, such as 127.0.0.1:9092", flag, addr)
		}
	}
	return nil
}
