package oracle_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// conn is a connection that sends requests as they are told, good or bad.
type conn struct {
	net.Conn
	correlation int32
}

// dial connects; every answer has ten seconds.
func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	return &conn{Conn: c}, nil
}

// errClosed is a broker's way of answering what it cannot read.
var errClosed = errors.New("closed the connection")

// errSilent is another: ten seconds have gone by.
var errSilent = errors.New("no answer")

// ask sends a request in its version and reads the answer.
func (c *conn) ask(req kmsg.Request) (kmsg.Response, error) {
	if err := c.send(req.Key(), req.GetVersion(), req.IsFlexible(), req.AppendTo(nil)); err != nil {
		return nil, err
	}
	body, err := c.receive()
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() && req.Key() != 18 {
		if len(body) == 0 || body[0] != 0 {
			return nil, fmt.Errorf("an answer to %s without its tags: %x", kmsg.NameForKey(req.Key()), body)
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("reading the answer to %s %d: %w", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp, nil
}

// send writes one frame.
func (c *conn) send(key, version int16, flexible bool, body []byte) error {
	c.correlation++
	frame := make([]byte, 4, 64+len(body))
	frame = binary.BigEndian.AppendUint16(frame, uint16(key))
	frame = binary.BigEndian.AppendUint16(frame, uint16(version))
	frame = binary.BigEndian.AppendUint32(frame, uint32(c.correlation))
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(clientID)))
	frame = append(frame, clientID...)
	if flexible {
		frame = append(frame, 0)
	}
	frame = append(frame, body...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if _, err := c.Write(frame); err != nil {
		return fmt.Errorf("%w: %w", errClosed, err)
	}
	return nil
}

// clientID is what every request calls itself.
const clientID = "oracle"

// receive reads one frame behind its correlation id.
func (c *conn) receive() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return nil, errSilent
		}
		return nil, errClosed
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != c.correlation {
		return nil, fmt.Errorf("an answer to request %d, want %d", got, c.correlation)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-4)
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, errClosed
	}
	return body, nil
}
