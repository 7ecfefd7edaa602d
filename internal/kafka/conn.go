package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// MaxReply is the largest answer in bytes that a Conn takes; a broker that
// announces more has gone mad, and the connection fails.
const MaxReply = 256 << 20

// ErrHTTP says that what answers is no broker.
var ErrHTTP = errors.New("an HTTP server answers there")

// ErrClosed is what a Conn's requests get after Close.
var ErrClosed = errors.New("connection to the broker is closed")

// Conn is one connection to a broker. Requests are pipelined: any number may be
// on the wire, and the answers come in their order. It is safe for concurrent use.
type Conn struct {
	nc       net.Conn
	clientID string
	timeout  time.Duration
	done     chan struct{} // closed by the reader when it has returned

	// mu orders writes with the queue of those who wait, so that both agree.
	mu struct {
		sync.Mutex
		correlation int32
		err         error // set once: the connection is dead
		pending     []pending
	}
	// write is held while bytes go out; taken before mu.
	write sync.Mutex
}

// pending is a request whose answer has not come.
type pending struct {
	correlation int32
	sent        time.Time
	done        func([]byte, error)
}

func newConn(nc net.Conn, clientID string, timeout time.Duration) *Conn {
	c := &Conn{nc: nc, clientID: clientID, timeout: timeout, done: make(chan struct{})}
	go c.read()
	return c
}

// Addr is the broker's address as it was dialled.
func (c *Conn) Addr() string { return c.nc.RemoteAddr().String() }

// Send writes one request with the non-flexible header (v1): key, version, and
// body as it is, gathered by the kernel without a copy on plain TCP. done gets the
// answer's bytes behind the correlation id, valid during the call; it is called
// exactly once, on the reader's goroutine, and must not block. A nil done is for a
// request that has no answer (acks 0). When Send returns an error the connection
// was dead already and done is not called; a write that fails reaches done.
func (c *Conn) Send(key, version int16, body net.Buffers, done func(reply []byte, err error)) error {
	return c.send(key, version, false, body, done)
}

func (c *Conn) send(key, version int16, flexible bool, body net.Buffers, done func([]byte, error)) error {
	size := 0
	for _, b := range body {
		size += len(b)
	}
	c.write.Lock()
	defer c.write.Unlock()
	correlation, err := c.enqueue(done)
	if err != nil {
		return err
	}
	head := make([]byte, 4, 4+10+len(c.clientID)+1)
	head = binary.BigEndian.AppendUint16(head, uint16(key))
	head = binary.BigEndian.AppendUint16(head, uint16(version))
	head = binary.BigEndian.AppendUint32(head, uint32(correlation))
	head = binary.BigEndian.AppendUint16(head, uint16(len(c.clientID)))
	head = append(head, c.clientID...)
	if flexible {
		head = append(head, 0) // no tagged fields
	}
	binary.BigEndian.PutUint32(head, uint32(len(head)-4+size))
	c.nc.SetWriteDeadline(time.Now().Add(c.timeout))
	out := append(net.Buffers{head}, body...)
	if _, err := out.WriteTo(c.nc); err != nil {
		// Half a frame may be out: the reader fails everybody who waits.
		c.fail(fmt.Errorf("writing to the broker: %w", err))
	}
	return nil
}

// enqueue gives a request its number and its place among those who wait.
func (c *Conn) enqueue(done func([]byte, error)) (int32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.err != nil {
		return 0, c.mu.err
	}
	c.mu.correlation++
	if done != nil {
		now := time.Now()
		if len(c.mu.pending) == 0 {
			c.nc.SetReadDeadline(now.Add(c.timeout))
		}
		c.mu.pending = append(c.mu.pending, pending{c.mu.correlation, now, done})
	}
	return c.mu.correlation, nil
}

// fail marks the connection dead and closes the socket, which wakes the reader.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.mu.err == nil {
		c.mu.err = err
	}
	c.mu.Unlock()
	c.nc.Close()
}

// Close ends the connection, fails whoever waits with ErrClosed, and returns when
// the reader has. It must not be called from a done function.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	<-c.done
	return nil
}

// Dead is closed once the connection is of no use any more.
func (c *Conn) Dead() <-chan struct{} { return c.done }

// read hands each answer to whoever waits for it, until the connection ends.
func (c *Conn) read() {
	defer close(c.done)
	err := c.readLoop()
	c.fail(fmt.Errorf("reading from the broker at %s: %w", c.Addr(), err))
	c.mu.Lock()
	waiting, cause := c.mu.pending, c.mu.err
	c.mu.pending = nil
	c.mu.Unlock()
	for _, p := range waiting {
		p.done(nil, cause)
	}
}

func (c *Conn) readLoop() error {
	in := bufio.NewReaderSize(c.nc, 64<<10)
	var head [8]byte
	var buf []byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		if string(head[:5]) == "HTTP/" {
			return ErrHTTP
		}
		size := int32(binary.BigEndian.Uint32(head[:])) - 4
		if size < 0 || size > MaxReply {
			return fmt.Errorf("an answer of %d bytes is announced (at most %d): is this a Kafka broker?", size, MaxReply)
		}
		var err error
		if buf, err = readGrowing(in, buf, int(size)); err != nil {
			return err
		}
		p, err := c.dequeue(int32(binary.BigEndian.Uint32(head[4:])))
		if err != nil {
			return err
		}
		p.done(buf, nil)
	}
}

// readGrowing reads n bytes into buf, which grows as bytes arrive and not by what
// is announced.
func readGrowing(in io.Reader, buf []byte, n int) ([]byte, error) {
	const step = 1 << 20
	buf = buf[:0]
	for len(buf) < n {
		want := min(n-len(buf), max(step, cap(buf)-len(buf)))
		if cap(buf)-len(buf) < want {
			grown := make([]byte, len(buf), min(n, max(len(buf)+want, 2*cap(buf))))
			copy(grown, buf)
			buf = grown
		}
		at := len(buf)
		buf = buf[:at+want]
		if _, err := io.ReadFull(in, buf[at:]); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// dequeue takes the head of the queue, whose number the answer must carry.
func (c *Conn) dequeue(correlation int32) (pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.pending) == 0 || c.mu.pending[0].correlation != correlation {
		return pending{}, fmt.Errorf("an answer came to request %d, which nobody waits for", correlation)
	}
	p := c.mu.pending[0]
	c.mu.pending = c.mu.pending[1:]
	deadline := time.Time{}
	if len(c.mu.pending) > 0 {
		deadline = c.mu.pending[0].sent.Add(c.timeout)
	}
	c.nc.SetReadDeadline(deadline)
	return p, nil
}

// Call sends any request in its own version and waits for the answer. The answer
// owns its bytes.
func (c *Conn) Call(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	type answer struct {
		resp kmsg.Response
		err  error
	}
	got := make(chan answer, 1) // filled at most once, by done
	err := c.send(req.Key(), req.GetVersion(), req.IsFlexible(), net.Buffers{req.AppendTo(nil)}, func(reply []byte, err error) {
		resp := req.ResponseKind()
		if err == nil {
			err = decode(resp, append([]byte(nil), reply...))
		}
		got <- answer{resp, err}
	})
	if err != nil {
		return nil, err
	}
	select {
	case a := <-got:
		if a.err != nil {
			return nil, fmt.Errorf("asking the broker at %s (%s v%d): %w", c.Addr(), kmsg.NameForKey(req.Key()), req.GetVersion(), a.err)
		}
		return a.resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
