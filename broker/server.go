package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/listen"
)

const (
	drainTime     = 10 * time.Second       // at most so long requests in flight are waited for at the end
	groupsGrace   = 500 * time.Millisecond // then group members that wait for others are answered
	defaultBudget = 256 << 20              // bytes of requests on their way in, over all connections
	acceptPause   = 100 * time.Millisecond // after a failed accept: there are no file descriptors left, usually
)

// server takes connections on all listeners.
type server struct {
	handlers *handle.Handlers // set before run
	security security
	doors    []*door
	budget   *wire.Budget
	answers  answerRoom
	maxFrame int
	idle     time.Duration
	perPeer  map[string]int64 // connections at a time from some addresses
	settings *topics.Settings
	metrics  *metrics
	log      *quietLog
	numbers  atomic.Uint64 // of connections

	mu struct {
		sync.Mutex
		open   map[*connection]struct{}
		byPeer map[string]int // of them, by address
		byDoor map[*door]int  // of them, by listener
	}
}

// listen opens all listeners, or none.
func (b *Broker) listen(ctx context.Context) (*server, error) {
	all, err := b.cfg.endpoints(b.settings)
	if err != nil {
		return nil, err
	}
	set := b.settings
	s := &server{settings: set, metrics: b.metrics, log: &quietLog{log: b.cfg.Logger},
		maxFrame: int(set.Int("socket.request.max.bytes")), idle: set.Millis("connections.max.idle.ms")}
	s.mu.open, s.mu.byPeer, s.mu.byDoor = map[*connection]struct{}{}, map[string]int{}, map[*door]int{}
	if s.perPeer, err = perPeer(set.Text("max.connections.per.ip.overrides")); err != nil {
		return nil, fmt.Errorf("max.connections.per.ip.overrides: %w", err)
	}
	budget := int(set.Int("queued.max.request.bytes"))
	if budget < 0 {
		budget = defaultBudget
	}
	s.budget, s.answers = wire.NewBudget(budget, s.maxFrame), newAnswerRoom(budget)
	if s.security, err = b.openSecurity(); err != nil {
		return nil, err
	}
	for _, e := range all {
		d := &door{endpoint: e}
		if err = s.limits(d); err == nil {
			err = b.guard(d, s.security)
		}
		if err == nil {
			d.Listener, err = listen.Listen(ctx, "tcp", e.listen, e.source)
		}
		if err != nil {
			s.closeListeners()
			return nil, err
		}
		s.doors = append(s.doors, d)
		d.warnOf(b.cfg.Logger, s.security)
	}
	if left := skipped(set); len(left) > 0 && len(b.cfg.Listen) == 0 {
		b.cfg.Logger.Info("listeners for controllers are left out, this broker is its own controller", "listeners", strings.Join(left, ","))
	}
	b.tellListeners(s.doors)
	s.warnOfOthers(b.cfg.Logger)
	return s, nil
}

// addr is the real address of the first listener.
func (s *server) addr() string { return s.doors[0].Addr().String() }

// addrs are the real addresses by the listeners' names, in order.
func (s *server) addrs() []string {
	var list []string
	for _, d := range s.doors {
		list = append(list, d.name+"://"+d.Addr().String())
	}
	return list
}

func (s *server) closeListeners() {
	for _, d := range s.doors {
		_ = d.Close()
	}
}

// run accepts until ctx ends or a listener fails, then drains. giveUp is called when what still waits for other clients
// must end too.
func (s *server) run(ctx context.Context, giveUp func()) error {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	following, unfollow := context.WithCancel(ctx) // of certificates: new connections need them, those that are open do not
	defer unfollow()
	var accepting, serving sync.WaitGroup
	failed := make(chan error, len(s.doors))
	for _, d := range s.doors {
		accepting.Go(func() {
			if err := s.accept(ctx, life, d, &serving); err != nil {
				failed <- err
			}
		})
		if d.certs != nil {
			accepting.Go(func() { _ = d.certs.Run(following) }) // never fails
		}
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	unfollow()
	s.closeListeners()
	accepting.Wait()
	s.drain(kill, giveUp, &serving)
	return err
}

// accept takes connections from one listener. Only its closing ends it.
func (s *server) accept(ctx, life context.Context, d *door, serving *sync.WaitGroup) error {
	for {
		conn, err := d.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting on %s: %w", d.Addr(), err)
		case err != nil:
			s.log.warn("accepting a connection; trying again", "listen", d.Addr().String(), "error", err)
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		c := s.newConnection(conn, d)
		if c == nil {
			continue
		}
		serving.Go(func() {
			defer s.forget(c)
			c.serve(life)
		})
	}
}

// drain lets every connection answer what it has read, then ends it; what takes too long is cut off.
func (s *server) drain(kill, giveUp func(), serving *sync.WaitGroup) {
	s.handlers.Drain()
	s.each(func(c *connection) { c.in.Stop() })
	done := make(chan struct{})
	go func() { // ends when the last connection does, which drain waits for
		serving.Wait()
		close(done)
	}()
	grace := time.AfterFunc(groupsGrace, giveUp)
	defer grace.Stop()
	select {
	case <-done:
		return
	case <-time.After(drainTime):
	}
	kill()
	s.each(func(c *connection) { _ = c.raw.Close() })
	<-done
}

func (s *server) each(f func(*connection)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.open {
		f(c)
	}
}
