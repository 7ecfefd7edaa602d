package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"

	"github.com/loghaul/loghaul/internal/record"
)

// bareLoop is the least that a broker could do with batches: it reads a request from the socket, checks the CRC, writes
// the batch to a file and says that it did. What it reaches is what the machine gives.
type bareLoop struct {
	listener net.Listener
	file     *os.File
	batch    int    // bytes; each request ends with one
	answer   []byte // to a request of the pump
}

// newBareLoop listens; file takes the batches, one behind the other.
func newBareLoop(path, topic string, batch int) (*bareLoop, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	be := binary.BigEndian
	body := be.AppendUint32(nil, 1) // correlation id
	body = be.AppendUint32(body, 1)
	body = append(be.AppendUint16(body, uint16(len(topic))), topic...)
	body = be.AppendUint32(body, 1)
	body = append(body, make([]byte, 4+2+8+8+8+4)...) // partition, error, offset, append time, log start, throttle
	return &bareLoop{l, f, batch, append(be.AppendUint32(nil, uint32(len(body))), body...)}, nil
}

// run serves one connection until it ends.
func (l *bareLoop) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.listener.Close() })
	defer stop()
	conn, err := l.listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	end := context.AfterFunc(ctx, func() { conn.Close() })
	defer end()
	in := bufio.NewReaderSize(conn, 4<<10) // large reads go past it
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	var buf []byte
	for at := int64(0); ; at += int64(l.batch) {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		n := int(binary.BigEndian.Uint32(head[:]))
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		if _, err := io.ReadFull(in, buf[:n]); err != nil {
			return err
		}
		batch := buf[n-l.batch : n]
		h, err := record.ParseHeader(batch)
		if err != nil {
			return err
		}
		if crc32.Checksum(batch[21:], castagnoli) != h.CRC {
			return errors.New("the bare loop got a batch whose checksum is wrong")
		}
		if _, err := l.file.WriteAt(batch, at); err != nil {
			return err
		}
		if _, err := conn.Write(l.answer); err != nil {
			return err
		}
	}
}

// measureBare pumps n batches through a bare loop.
func measureBare(ctx context.Context, path, name string, batch []byte, records, n int) (BrokerLeg, error) {
	l, err := newBareLoop(path, "bench", len(batch))
	if err != nil {
		return BrokerLeg{}, fmt.Errorf("starting the bare loop: %w", err)
	}
	defer func() {
		l.listener.Close()
		l.file.Close()
		os.Remove(path)
		settleDisk()
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1) // one send, at the loop's end
	go func() { served <- l.run(ctx) }()
	leg, err := timed(name, bare, func() (float64, float64, error) {
		sent, err := pump{addr: l.listener.Addr().String(), topic: "bench", acks: 1, window: 5, batch: batch, more: times(n)}.run(ctx)
		return float64(sent * records), float64(sent * len(batch)), err
	})
	if err != nil {
		cancel() // the loop may still wait for somebody to come
	}
	return leg, errors.Join(err, <-served)
}
