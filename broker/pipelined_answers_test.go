package broker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
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

// answering is a connection of which only the answers go anywhere.
func answering(t *testing.T, conn *notedConn) *connection {
	t.Helper()
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{metrics: m, log: &quietLog{log: slog.New(slog.DiscardHandler)}}
	c := &connection{server: s, out: wire.NewOut(conn), raw: closing{}}
	c.queued = newBacklog(c.out)
	return c
}

// writeAll has a connection write answers that stand in its queue.
func writeAll(t *testing.T, conn *notedConn, replies ...plainReply) (ended []string, left int64) {
	t.Helper()
	c := answering(t, conn)
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

// What was asked goes out from the goroutine that reads, unless something says that its turn is another's business.
func TestAnAnswerThatIsReadyAndAloneGoesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		waits   bool // the answer is not ready
		before  int  // answers that are on their way
		follows bool // the next request is there
		want    bool
	}{
		"alone":               {text: "a", want: true},
		"not ready":           {text: "a", waits: true},
		"behind another":      {text: "a", before: 1},
		"before a request":    {text: "a", follows: true},
		"the largest":         {text: strings.Repeat("a", packetBytes), want: true},
		"larger":              {text: strings.Repeat("a", packetBytes+1)},
		"large and not ready": {text: strings.Repeat("a", packetBytes+1), waits: true},
	} {
		var conn notedConn
		var ended []string
		one := answering(t, &conn)
		one.in = wire.NewFrames(&sent{follows: c.follows}, wire.NewBudget(1<<20, 1<<20), 1<<20, time.Minute)
		frame, err := one.in.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		frame.Release()
		for range c.before + 1 {
			one.queued.add(len(c.text))
		}
		a := answer{reply: plainReply{text: c.text, ready: !c.waits, ended: &ended}, size: len(c.text)}
		done, err := one.prompt(t.Context(), a)
		if done != c.want || err != nil || len(ended) > 0 {
			t.Errorf("%s: %v, %v, %q, want %v", name, done, err, ended, c.want)
		}
		if got := strings.Join(conn.writes, ""); c.want && got != c.text || !c.want && got != "" {
			t.Errorf("%s: %d bytes were written", name, len(got))
		}
		if left := one.queued.answers.Load(); left != int64(c.before+1) != c.want {
			t.Errorf("%s: %d answers are counted still", name, left)
		}
	}
}

func TestAnAnswerThatCannotBeSentAtOnceEndsTheReading(t *testing.T) {
	c := answering(t, &notedConn{err: os.ErrDeadlineExceeded})
	c.in = wire.NewFrames(&sent{}, wire.NewBudget(1<<20, 1<<20), 1<<20, time.Minute)
	c.queued.add(1)
	done, err := c.prompt(t.Context(), answer{reply: plainReply{text: "a", ready: true}, size: 1})
	if !done || c.unsent(err) != wire.ErrStuck {
		t.Errorf("%v, %v, want that the client counts as stuck", done, err)
	}
}

// sent is the other end's half of a connection: a request, and perhaps another behind it.
type sent struct {
	net.Conn
	follows, read bool
}

func (*sent) SetReadDeadline(time.Time) error { return nil }

func (s *sent) Read(b []byte) (int, error) {
	if s.read {
		return 0, io.EOF
	}
	s.read = true
	request := "\x00\x00\x00\x08\x00\x12\x00\x00\x00\x00\x00\x01"
	if s.follows {
		request += request
	}
	return copy(b, request), nil
}
