package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is one connection of the load generator: whole requests go out as they are, answers come in their order and
// only what is needed of them is looked at. Sending and reading may go on at the same time.
type wire struct {
	net.Conn
	in   *bufio.Reader
	body []byte // of the last short answer
	stop func() bool
}

// dialWire connects; the connection ends with ctx, at Close at the latest. It reads through a buffer of so many bytes.
func dialWire(ctx context.Context, addr string, buffer int) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	w := newWire(conn, buffer)
	w.stop = context.AfterFunc(ctx, func() { conn.Close() })
	return w, nil
}

// roomy is the read buffer of a connection that is there for its answers.
const roomy = 256 << 10

func newWire(conn net.Conn, buffer int) *wire {
	return &wire{Conn: conn, in: bufio.NewReaderSize(conn, buffer), stop: func() bool { return true }}
}

// Close ends the connection.
func (w *wire) Close() error {
	w.stop()
	return w.Conn.Close()
}

// send writes whole requests.
func (w *wire) send(frames []byte) error {
	w.SetWriteDeadline(time.Now().Add(patience))
	_, err := w.Write(frames)
	return err
}

// head begins to read an answer: it reads the first n bytes behind the length, the correlation id among them, and
// answers them, valid until the next call, and how many bytes are left to read.
func (w *wire) head(n int) ([]byte, int, error) {
	w.SetReadDeadline(time.Now().Add(patience))
	b, err := w.in.Peek(4)
	if err != nil {
		return nil, 0, err
	}
	length := int(int32(binary.BigEndian.Uint32(b)))
	if length < n {
		return nil, 0, fmt.Errorf("an answer has %d bytes, too few to be one", length)
	}
	w.in.Discard(4)
	if cap(w.body) < n {
		w.body = make([]byte, n)
	}
	_, err = io.ReadFull(w.in, w.body[:n])
	return w.body[:n], length - n, err
}

// produced reads the answer to a produceFrame.
func (w *wire) produced(topic string) error {
	at := 4 + 4 + 2 + len(topic) + 4 + 4 // correlation id, topics, name, partitions, number
	b, rest, err := w.head(at + 2)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(int16(binary.BigEndian.Uint16(b[at:]))); err != nil {
		return err
	}
	_, err = w.in.Discard(rest)
	return err
}

// fetched reads the answer to a fetchFrame, and hands on where each batch in it begins: its header and behind it as
// many bytes as peek says, valid during the call. A batch that is cut short at the end is left out.
func (w *wire) fetched(topic string, peek int, batch func(record.Header, []byte)) error {
	at := 4 + 4 + 2 + 4 + 4 + 2 + len(topic) + 4 + 4 // correlation id, throttle, error, session, topics, name, partitions, number
	b, rest, err := w.head(at + 2 + 8 + 8 + 8 + 4)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(int16(binary.BigEndian.Uint16(b[at:]))); err != nil {
		return err
	}
	aborted := max(0, int(int32(binary.BigEndian.Uint32(b[at+26:]))))
	n, err := w.in.Discard(aborted*16 + 4)
	if err != nil {
		return err
	}
	b, err = w.in.Peek(4)
	if err != nil {
		return err
	}
	w.in.Discard(4)
	records := int(int32(binary.BigEndian.Uint32(b)))
	for rest -= n + 4; records >= record.HeaderSize+peek; {
		b, err := w.in.Peek(record.HeaderSize + peek)
		if err != nil {
			return err
		}
		h, err := record.ParseHeader(b)
		if err != nil {
			return err
		}
		if h.Size() > records {
			break
		}
		batch(h, b)
		n, err := w.in.Discard(h.Size())
		if records, rest = records-n, rest-n; err != nil {
			return err
		}
	}
	_, err = w.in.Discard(rest)
	return err
}

// produceFrame is a whole Produce request (v7) with one batch; the batch lies at its end.
func produceFrame(topic string, partition int32, acks int16, batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 7, acks, 30_000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch}}}}
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("loghaul-bench")).AppendRequest(nil, req, 1)
}

// fetchFrame is a whole Fetch request (v11) for one partition, which waits for the first byte.
func fetchFrame(topic string, partition int32, from record.Offset, most int32) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 11, 500, 1, most
	req.SessionEpoch = -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, int64(from), most, -1
	req.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("loghaul-bench")).AppendRequest(nil, req, 1)
}
