package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/handle"
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
	handlers  *handle.Handlers // set before run
	listeners []net.Listener
	endpoints []endpoint // by listener
	budget    *wire.Budget
	maxFrame  int
	idle      time.Duration
	most      int // connections
	metrics   *metrics
	log       *quietLog

	mu struct {
		sync.Mutex
		open map[*connection]struct{}
	}
}

// listen opens all listeners, or none.
func (b *Broker) listen(ctx context.Context) (*server, error) {
	all, err := endpoints(b.cfg.Listen, b.cfg.Advertise)
	if err != nil {
		return nil, err
	}
	set := b.settings
	s := &server{endpoints: all, metrics: b.metrics, log: &quietLog{log: b.cfg.Logger},
		maxFrame: int(set.Int("socket.request.max.bytes")), idle: set.Millis("connections.max.idle.ms"), most: int(set.Int("max.connections"))}
	s.mu.open = map[*connection]struct{}{}
	budget := int(set.Int("queued.max.request.bytes"))
	if budget < 0 {
		budget = defaultBudget
	}
	s.budget = wire.NewBudget(budget, s.maxFrame)
	for _, e := range all {
		l, err := listen.Listen(ctx, "tcp", e.listen, b.cfg.ListenFlag)
		if err != nil {
			s.closeListeners()
			return nil, err
		}
		s.listeners = append(s.listeners, l)
		if tcp, ok := l.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			b.cfg.Logger.Warn("LISTENING BEYOND THIS MACHINE WITHOUT TLS OR PASSWORDS: whoever reaches this port can read, write and delete"+
				" every topic; listen on 127.0.0.1 or keep strangers away with a firewall", "listen", l.Addr().String())
		}
	}
	return s, nil
}

// addr is the real address of the first listener.
func (s *server) addr() string { return s.listeners[0].Addr().String() }

func (s *server) closeListeners() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// run accepts until ctx ends or a listener fails, then drains. giveUp is called when what still waits for other clients
// must end too.
func (s *server) run(ctx context.Context, giveUp func()) error {
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	var accepting, serving sync.WaitGroup
	failed := make(chan error, len(s.listeners))
	for i, l := range s.listeners {
		accepting.Go(func() {
			if err := s.accept(ctx, life, l, s.endpoints[i], &serving); err != nil {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.closeListeners()
	accepting.Wait()
	s.drain(kill, giveUp, &serving)
	return err
}

// accept takes connections from one listener. Only its closing ends it.
func (s *server) accept(ctx, life context.Context, l net.Listener, e endpoint, serving *sync.WaitGroup) error {
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accepting on %s: %w", l.Addr(), err)
		case err != nil:
			s.log.warn("accepting a connection; trying again", "listen", l.Addr().String(), "error", err)
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		c := s.newConnection(conn, e)
		if c == nil {
			continue
		}
		serving.Go(func() {
			defer s.forget(c)
			c.serve(life)
		})
	}
}

// newConnection enters a connection into the list, or closes it when there are too many.
func (s *server) newConnection(conn net.Conn, e endpoint) *connection {
	c := &connection{server: s, conn: conn, in: wire.NewFrames(conn, s.budget, s.maxFrame, s.idle), out: wire.NewOut(conn), peer: peerOf(conn, e)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.open) >= s.most {
		_ = conn.Close()
		s.metrics.closed.WithLabelValues("max.connections").Inc()
		s.log.warn("refused a connection: max.connections are open", "peer", c.peer.Remote, "max", s.most)
		return nil
	}
	s.mu.open[c] = struct{}{}
	s.metrics.connections.Inc()
	return c
}

func (s *server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.open, c)
	s.metrics.connections.Dec()
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
	s.each(func(c *connection) { _ = c.conn.Close() })
	<-done
}

func (s *server) each(f func(*connection)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.open {
		f(c)
	}
}

// peerOf says who is at the other end and how it reaches us: by the advertised address, or the one that it dialled.
func peerOf(conn net.Conn, e endpoint) handle.Peer {
	p := handle.Peer{Remote: conn.RemoteAddr().String(), Host: e.host, Port: e.port}
	if p.Host == "" {
		if tcp, ok := conn.LocalAddr().(*net.TCPAddr); ok {
			p.Host, p.Port = tcp.IP.String(), int32(tcp.Port)
		}
	}
	return p
}
