package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/wire"
)

// pipelined is how many requests of one connection may wait for their answers' turn.
const pipelined = 64

// connection serves one client. One goroutine reads and acts, another waits and answers, in the order of the requests:
// so a producer's next batch is appended while the last one is on its way to the disk.
type connection struct {
	server *server
	conn   net.Conn
	in     *wire.Frames
	out    *wire.Out
	peer   handle.Peer
}

// answer is a reply in the connection's queue.
type answer struct {
	reply handle.Reply
	key   int16
	began time.Time
}

// serve ends when the client does, when it sends what is no request, or when ctx ends.
func (c *connection) serve(ctx context.Context) {
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	answers := make(chan answer, pipelined) // closed by the reading below
	var writing sync.WaitGroup
	writing.Go(func() { c.write(ctx, gone, answers) })
	err := c.read(ctx, answers)
	close(answers)
	if !errors.Is(err, wire.ErrStopped) {
		gone() // nobody is there to wait for the answers
	}
	writing.Wait()
	_ = c.conn.Close()
	c.report(err)
}

// read takes requests and acts on them.
func (c *connection) read(ctx context.Context, answers chan<- answer) error {
	for {
		frame, err := c.in.Next(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		header, reply, err := c.server.handlers.Handle(ctx, frame, c.peer)
		if err != nil {
			return err
		}
		if reply == nil {
			c.server.metrics.answered(header.Key, began)
			continue
		}
		select {
		case answers <- answer{reply, header.Key, began}:
		case <-ctx.Done():
			reply.Drop()
			return ctx.Err()
		}
	}
}

// write sends the answers. After the first that cannot be sent it only drops them.
func (c *connection) write(ctx context.Context, gone func(), answers <-chan answer) {
	for a := range answers {
		if ctx.Err() != nil {
			a.reply.Drop()
			continue
		}
		if err := a.reply.Send(ctx, c.out); err != nil {
			gone()
			_ = c.conn.Close() // ends the reading too
			continue
		}
		c.server.metrics.answered(a.key, a.began)
	}
}

// report says once why a connection was closed, if that is anybody's business.
func (c *connection) report(err error) {
	var garbage *wire.GarbageError
	var refused *handle.RefusedError
	var network net.Error
	why := "error"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, wire.ErrStopped):
		return // the broker goes
	case errors.As(err, &garbage):
		why = "garbage"
	case errors.As(err, &refused):
		why = "request"
	case errors.Is(err, wire.ErrBudget):
		why = "memory"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return // the client went
	}
	c.server.metrics.closed.WithLabelValues(why).Inc()
	c.server.log.warn("closed a connection", "peer", c.peer.Remote, "error", err)
}
