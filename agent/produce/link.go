package produce

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/internal/kafka"
)

// link is the one connection to a broker. It sends what the partitions that this
// broker leads have ready, several of them in one request.
type link struct {
	c    *Client
	addr string
	wake chan struct{} // there may be something to do; capacity 1

	// dial is held while connecting, so that one connection is made; taken before mu.
	dial sync.Mutex
	mu   struct {
		sync.Mutex
		conn    *wire
		queue   []*Partition // those with something to send, each once
		queued  map[*Partition]bool
		waiting int // requests without their answer
	}
}

func newLink(c *Client, addr string) *link {
	l := &link{c: c, addr: addr, wake: make(chan struct{}, 1)}
	l.mu.queued = map[*Partition]bool{}
	return l
}

// enqueue says that a partition has something to send.
func (l *link) enqueue(p *Partition) {
	l.mu.Lock()
	if !l.mu.queued[p] {
		l.mu.queued[p] = true
		l.mu.queue = append(l.mu.queue, p)
	}
	l.mu.Unlock()
	l.nudge()
}

func (l *link) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *link) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			l.close()
			return
		case <-l.wake:
		}
		for l.pump(ctx) {
		}
	}
}

// pump sends one request; false: there is nothing to send, or enough is on the way.
func (l *link) pump(ctx context.Context) bool {
	l.mu.Lock()
	idle := len(l.mu.queue) == 0 || l.mu.waiting >= l.c.cfg.Requests
	l.mu.Unlock()
	if idle || ctx.Err() != nil {
		return false
	}
	conn, err := l.connect(ctx)
	if err != nil {
		l.giveUp(err)
		return false
	}
	r := l.gather()
	if len(r.sends) == 0 {
		return false
	}
	l.mu.Lock()
	l.mu.waiting++
	l.mu.Unlock()
	if err := conn.Send(keyProduce, conn.version, r.body(), func(reply []byte, err error) { l.answered(r, conn.version, reply, err) }); err != nil {
		l.answered(r, conn.version, nil, err)
	}
	return true
}

// gather takes one batch from each partition in the queue, up to RequestBytes; those
// with more to send stay in it.
func (l *link) gather() *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, room, stay := &request{}, l.c.cfg.RequestBytes, l.mu.queue[:0:0]
	for i, p := range l.mu.queue {
		limit := room
		if len(r.sends) == 0 {
			limit = maxBatch
		}
		s, more := p.take(l, limit)
		if s.f != nil {
			r.sends = append(r.sends, s)
			room -= len(s.bytes)
		}
		if more {
			stay = append(stay, p)
		} else {
			delete(l.mu.queued, p)
		}
		if room <= 0 {
			// Those who had their turn go behind those who had not.
			l.mu.queue = append(append(l.mu.queue[:0:0], l.mu.queue[i+1:]...), stay...)
			return r
		}
	}
	l.mu.queue = stay
	return r
}

// maxBatch is no limit at all: a batch that is larger than a request goes alone.
const maxBatch = 1 << 30

// answered hands the answer of one request to the partitions it was for.
func (l *link) answered(r *request, version int16, reply []byte, err error) {
	l.mu.Lock()
	l.mu.waiting--
	l.mu.Unlock()
	l.nudge()
	if err != nil {
		err = fmt.Errorf("sending to the broker at %s: %w", l.addr, err)
	} else if answers, bad := parseAnswers(reply, version); bad != nil {
		err = fmt.Errorf("the broker at %s: %w", l.addr, bad)
	} else {
		for _, s := range r.sends {
			if a, ok := answers[s.p.at]; ok {
				s.p.answered(s.f, a)
			} else {
				s.p.failed(s.f, fmt.Errorf("the broker at %s did not answer for %s-%d: %w", l.addr, s.p.at.Topic, s.p.at.Number, errAnswer))
			}
		}
		return
	}
	for _, s := range r.sends {
		s.p.failed(s.f, err)
	}
}

// giveUp stops every partition in the queue: the broker cannot be reached.
func (l *link) giveUp(err error) {
	l.mu.Lock()
	queue := l.mu.queue
	l.mu.queue = nil
	clear(l.mu.queued)
	l.mu.Unlock()
	for _, p := range queue {
		p.detach(l, err)
	}
}

// connect answers the connection, dialling when there is none or it has died.
func (l *link) connect(ctx context.Context) (*wire, error) {
	l.dial.Lock()
	defer l.dial.Unlock()
	l.mu.Lock()
	conn := l.mu.conn
	l.mu.Unlock()
	if conn != nil {
		select {
		case <-conn.Dead():
			conn.Close()
		default:
			return conn, nil
		}
	}
	conn, err := l.meet(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		conn.Close() // close has been by already
		return nil, errors.Join(ctx.Err(), kafka.ErrClosed)
	}
	l.mu.conn = conn
	return conn, nil
}

// wire is a connection, the version of Produce that is spoken over it, and whether the
// broker says what it has of a producer.
type wire struct {
	*kafka.Conn
	version   int16
	describes bool
}

// meet dials and asks which Produce the broker knows: from v8 on its refusals come with
// its own words.
func (l *link) meet(ctx context.Context) (*wire, error) {
	conn, err := l.c.cfg.Kafka.Dial(ctx, l.addr)
	if err != nil {
		return nil, err
	}
	knows, err := versions(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	_, describes := knows[keyDescribe]
	return &wire{conn, max(produceLeast, min(produceMost, knows[keyProduce])), describes}, nil
}

// versions are the requests that a broker knows, each with its newest version: it hangs up
// on all others.
func versions(ctx context.Context, conn *kafka.Conn) (map[int16]int16, error) {
	resp, err := conn.Call(ctx, kmsg.NewPtrApiVersionsRequest()) // v0
	if err != nil {
		return nil, err
	}
	knows := map[int16]int16{}
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		knows[k.ApiKey] = k.MaxVersion
	}
	return knows, nil
}

// close ends the connection; whoever waits for an answer on it is told.
func (l *link) close() {
	l.dial.Lock()
	defer l.dial.Unlock()
	l.mu.Lock()
	conn := l.mu.conn
	l.mu.conn = nil
	l.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
}
