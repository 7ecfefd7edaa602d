package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/wire"
)

const (
	pipelined  = 64      // requests of one connection that may wait for their answers' turn
	mostQueued = 2 << 20 // bytes that they may hold, beside the last one, which goes over it
)

// connection serves one client. One goroutine reads and acts, another waits and answers, in the order of the requests:
// so a producer's next batch is appended while the last one is on its way to the disk. What is ready while nothing waits
// the first one answers itself.
type connection struct {
	server  *server
	door    *door
	raw     net.Conn
	tls     *tls.Conn // nil: plain
	in      *wire.Frames
	out     *wire.Out
	peer    handle.Peer // as it came in
	session *handle.Session
	login   func()      // called once the client has logged in; nil: it has, or need not
	late    atomic.Bool // it was cut off because it did not log in
	queued  *backlog
	stuck   error // why an answer could not be sent; for whoever has waited for write
	trace   trace
}

// connect makes a connection of what was accepted. It reads and writes nothing yet.
func connect(s *server, raw net.Conn, d *door) *connection {
	c := &connection{server: s, door: d, raw: raw, peer: peerOf(raw, d.endpoint)}
	c.peer.Connection = s.numbers.Add(1)
	conn := raw
	if d.certs != nil {
		c.tls = tls.Server(raw, d.certs.TLS())
		conn = abruptly{c.tls, raw}
	}
	c.in, c.out = wire.NewFrames(conn, s.budget, s.maxFrame, s.idle), wire.NewOut(conn)
	c.queued = newBacklog(c.out)
	c.session = handle.NewSession(c.peer, d.sasl)
	return c
}

// abruptly is a TLS connection that is closed without a farewell, which could wait for the peer; for those who close
// connections of others.
type abruptly struct {
	*tls.Conn
	raw net.Conn
}

// Close closes the connection below.
func (a abruptly) Close() error { return a.raw.Close() }

// peerOf says who is at the other end and how it reaches us: by the advertised address, or the one that it dialled.
func peerOf(conn net.Conn, e endpoint) handle.Peer {
	p := handle.Peer{Remote: conn.RemoteAddr().String(), Listener: e.name, Principal: handle.Anonymous, Host: e.host, Port: e.port}
	p.IP = p.Remote
	if host, _, err := net.SplitHostPort(p.Remote); err == nil {
		p.IP, _, _ = strings.Cut(host, "%") // without the zone of a link-local address
	}
	tcp, ok := conn.LocalAddr().(*net.TCPAddr)
	if ok && p.Host == "" {
		p.Host = tcp.IP.String()
	}
	if ok && p.Port == 0 {
		p.Port = int32(tcp.Port)
	}
	return p
}

// answer is a reply in the connection's queue.
type answer struct {
	reply handle.Reply
	key   int16
	began time.Time
	size  int // bytes that it holds while it waits
}

// serve ends when the client does, when it sends what is no request, or when ctx ends.
func (c *connection) serve(ctx context.Context) {
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	c.open(ctx)
	defer c.ended(ctx)
	c.server.handlers.Connected(c.session)
	err := c.server.handlers.Muted(ctx, c.session) // before the work of a handshake
	defer c.limit(gone)()
	if err == nil {
		err = c.greet(ctx)
	}
	if err != nil {
		_ = c.raw.Close()
		c.report(err)
		return
	}
	defer c.out.Share(c.server.answers.unsent)()
	answers := make(chan answer, pipelined) // closed by the reading below
	var writing sync.WaitGroup
	writing.Go(func() { c.write(ctx, gone, answers) })
	err = c.read(ctx, answers)
	close(answers)
	if _, farewell := errors.AsType[*handle.FarewellError](err); !farewell && !errors.Is(err, wire.ErrStopped) {
		gone() // nobody is there to wait for the answers
	}
	if writing.Wait(); c.stuck != nil {
		err = c.stuck // the reading ended with it
	}
	if c.tls != nil {
		_ = c.tls.Close() // says farewell
	}
	_ = c.raw.Close()
	c.report(err)
}

// read takes requests and acts on them.
func (c *connection) read(ctx context.Context, answers chan<- answer) error {
	for {
		if err := c.server.handlers.Muted(ctx, c.session); err != nil {
			return err
		}
		frame, err := c.in.Next(ctx)
		if err != nil {
			return err
		}
		a, bad := c.act(ctx, frame)
		if bad != nil && a.reply == nil {
			return bad
		}
		c.passed()
		if a.reply == nil {
			c.answered(ctx, a.key, a.began)
			continue
		}
		if done, err := c.prompt(ctx, a); done {
			if bad == nil {
				bad = c.unsent(err)
			}
			if bad != nil {
				return bad
			}
			continue
		}
		select {
		case answers <- a:
		case <-ctx.Done():
			a.reply.Drop()
			return ctx.Err()
		}
		if bad != nil {
			return bad // behind its answer
		}
		if err := c.queued.wait(ctx); err != nil {
			return err
		}
	}
}

// act acts on one request. What the answer holds is counted from here on.
func (c *connection) act(ctx context.Context, frame *wire.Frame) (answer, error) {
	began, bytes := time.Now(), len(frame.Bytes)
	made, err := c.room(ctx, frame)
	if err != nil {
		frame.Release()
		return answer{}, err
	}
	defer made()
	header, reply, err := c.server.handlers.Handle(ctx, frame, c.session)
	c.arrived(ctx, header, bytes)
	a := answer{reply: reply, key: header.Key, began: began}
	if reply == nil {
		return a, err
	}
	if s, ok := reply.(handle.Sized); ok {
		a.size = s.Size()
	}
	c.queued.add(a.size)
	return a, err
}

// write sends the answers. After the first that cannot be sent it only drops them.
func (c *connection) write(ctx context.Context, gone func(), answers <-chan answer) {
	var p packet // empty whenever nothing is left in answers
	for a := range answers {
		if ctx.Err() != nil {
			a.reply.Drop()
			continue
		}
		if err := c.send(ctx, &p, a, len(answers) > 0); err != nil {
			if why := c.unsent(err); why != err {
				c.stuck = why
			}
			gone()
			_ = c.raw.Close() // ends the reading too
		}
	}
}

// unsent is why an answer could not be sent, as far as it is known.
func (c *connection) unsent(err error) error {
	switch {
	case err == nil:
		return nil
	case c.out.Given():
		return wire.ErrUnsent
	case errors.Is(err, os.ErrDeadlineExceeded):
		return wire.ErrStuck
	}
	return err
}

// report says once why a connection was closed, if that is anybody's business.
func (c *connection) report(err error) {
	var garbage *wire.GarbageError
	var noTLS tls.RecordHeaderError
	var farewell *handle.FarewellError
	var refused *handle.RefusedError
	var network net.Error
	why := "error"
	switch {
	case c.late.Load():
		why, err = "login", fmt.Errorf("it did not log in within %v", loginTime)
	case errors.Is(err, context.Canceled), errors.Is(err, wire.ErrStopped):
		return // the broker goes
	case errors.As(err, &noTLS):
		why, err = "garbage", fmt.Errorf("not a TLS hello: %q; this listener speaks TLS", noTLS.RecordHeader[:])
	case errors.As(err, &farewell):
		why = "login"
	case errors.As(err, &garbage):
		why = "garbage"
	case errors.As(err, &refused):
		why = "request"
	case errors.Is(err, wire.ErrBudget), errors.Is(err, wire.ErrUnsent):
		why = "memory"
	case errors.Is(err, wire.ErrStuck):
		why = "slow"
	case errors.As(err, &network) && network.Timeout():
		c.server.metrics.closed.WithLabelValues("idle").Inc()
		return // it was silent, or as good as that
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return // the client went
	}
	c.server.metrics.closed.WithLabelValues(why).Inc()
	c.server.log.warn("closed a connection", c.session.Peer().Who(), "listener", c.door.name, "error", err)
}
