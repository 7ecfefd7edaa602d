package broker

import (
	"context"

	"github.com/loghaul/loghaul/broker/handle"
)

// packetBytes is how much of answers that are ready together is gathered for one write: some fifty of a producer's.
const packetBytes = 4 << 10

// packet is answers that are ready and go in one write: one sync of a log makes many of a pipelining producer's ready.
type packet struct {
	bytes []byte
	of    []answer
}

// prompt sends an answer from the goroutine that reads, and says whether it did: one that is ready and small, when it is
// the only one and no further request is there. The goroutine that answers need not be woken for it, and has nothing to
// send meanwhile: out is free.
func (c *connection) prompt(ctx context.Context, a answer) (done bool, err error) {
	if a.size == 0 || a.size > packetBytes || c.queued.answers.Load() > 1 || ctx.Err() != nil || c.in.More() {
		return false, nil
	}
	r, ok := a.reply.(handle.Ready)
	if !ok {
		return false, nil
	}
	b, ready := r.Ready()
	if !ready {
		return false, nil
	}
	if err := c.out.Write(b); err != nil {
		return true, err
	}
	c.sent(ctx, a)
	return true, nil
}

// send sends one answer, or keeps it in the packet when it is ready and more says that the next one is there already:
// whoever waits sends the packet first.
func (c *connection) send(ctx context.Context, p *packet, a answer, more bool) error {
	if r, ok := a.reply.(handle.Ready); ok {
		if b, ready := r.Ready(); ready {
			return c.pack(ctx, p, a, b, more)
		}
	}
	if err := c.flush(ctx, p); err != nil {
		a.reply.Drop()
		return err
	}
	if err := a.reply.Send(ctx, c.out); err != nil {
		return err
	}
	c.sent(ctx, a)
	return nil
}

// pack puts an answer's bytes into the packet. What is large, or alone, is written as it lies.
func (c *connection) pack(ctx context.Context, p *packet, a answer, b []byte, more bool) error {
	if len(p.bytes)+len(b) > packetBytes {
		if err := c.flush(ctx, p); err != nil {
			return err
		}
	}
	if len(b) > packetBytes || len(p.of) == 0 && !more {
		if err := c.out.Write(b); err != nil {
			return err
		}
		c.sent(ctx, a)
		return nil
	}
	p.bytes, p.of = append(p.bytes, b...), append(p.of, a)
	if more {
		return nil
	}
	return c.flush(ctx, p)
}

// flush writes the packet.
func (c *connection) flush(ctx context.Context, p *packet) error {
	if len(p.of) == 0 {
		return nil
	}
	err := c.out.Write(p.bytes)
	for _, a := range p.of {
		if err == nil {
			c.sent(ctx, a)
		}
	}
	clear(p.of)
	p.bytes, p.of = p.bytes[:0], p.of[:0]
	return err
}

// sent counts an answer out.
func (c *connection) sent(ctx context.Context, a answer) {
	c.queued.remove(a.size)
	c.answered(ctx, a.key, a.began)
}
