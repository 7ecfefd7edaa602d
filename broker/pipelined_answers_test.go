package broker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/wire"
)

// notedConn notes each write.
type notedConn struct {
	net.Conn
	writes []string
	err    error
}

func (c *notedConn) SetWriteDeadline(time.Time) error { return nil }

func (c *notedConn) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.writes = append(c.writes, string(b))
	return len(b), nil
}

// plainReply is an answer that is ready, or not.
type plainReply struct {
	text  string
	ready bool
	ended *[]string // what became of it, in order
}

func (r plainReply) Ready() ([]byte, bool) { return []byte(r.text), r.ready }

func (r plainReply) Send(_ context.Context, out *wire.Out) error {
	*r.ended = append(*r.ended, "sent "+r.text)
	return out.Write([]byte(r.text))
}

func (r plainReply) Drop() { *r.ended = append(*r.ended, "dropped "+r.text) }

// writeAll has a connection write answers that stand in its queue.
func writeAll(t *testing.T, conn *notedConn, replies ...plainReply) (ended []string, left int64) {
	t.Helper()
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{metrics: m, log: &quietLog{log: slog.New(slog.DiscardHandler)}}
	c := &connection{server: s, out: wire.NewOut(conn), raw: closing{}}
	c.queued = newBacklog(c.out)
	answers := make(chan answer, len(replies))
	for _, r := range replies {
		r.ended = &ended
		c.queued.add(len(r.text))
		answers <- answer{reply: r, size: len(r.text)}
	}
	close(answers)
	ctx, gone := context.WithCancel(t.Context())
	defer gone()
	c.write(ctx, gone, answers)
	return ended, c.queued.bytes.Load()
}

// closing is a connection of which only Close is called.
type closing struct{ net.Conn }

func (closing) Close() error { return nil }

func TestAnswersThatAreReadyGoInOneWrite(t *testing.T) {
	var conn notedConn
	var replies []plainReply
	for i := range 10 {
		replies = append(replies, plainReply{text: fmt.Sprint(i), ready: i != 5})
	}
	large := strings.Repeat("x", packetBytes+1)
	replies = append(replies, plainReply{text: large, ready: true}, plainReply{text: "a", ready: true}, plainReply{text: strings.Repeat("y", packetBytes), ready: true})
	ended, left := writeAll(t, &conn, replies...)
	want := []string{"01234", "5", "6789", large, "a", strings.Repeat("y", packetBytes)}
	if fmt.Sprint(conn.writes) != fmt.Sprint(want) {
		t.Errorf("written: %.60q, want %.60q", conn.writes, want)
	}
	if len(ended) != 1 || ended[0] != "sent 5" || left != 0 {
		t.Errorf("%q, and %d bytes are counted still; want that the one that was not ready was sent by itself, and none", ended, left)
	}
}

func TestAfterAnAnswerThatCannotBeSentTheOthersAreDropped(t *testing.T) {
	conn := notedConn{err: io.ErrClosedPipe}
	ended, _ := writeAll(t, &conn, plainReply{text: "a", ready: true}, plainReply{text: "b"}, plainReply{text: "c", ready: true}, plainReply{text: "d"})
	if fmt.Sprint(ended) != "[dropped b dropped c dropped d]" {
		t.Errorf("%q, want b, c and d dropped, and a written in vain with what waited for it", ended)
	}
}
