package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// benchSegment is how large a file the benchmarks fill before they begin the next one and let the last but one go.
const benchSegment = 256 << 20

// BenchmarkBareLoop is what no broker can beat: read a request from the socket, sum it, write it to a file, answer. Its
// figures stand beside BenchmarkProduceRaw's of the same run.
func BenchmarkBareLoop(b *testing.B) {
	for _, size := range []int{64 << 10, 256 << 10, 900 << 10} {
		for _, conns := range []int{1, 4} {
			b.Run(fmt.Sprintf("batch=%dkB/conns=%d", size>>10, conns), func(b *testing.B) {
				batch, _ := lineBatch(b, size, record.None)
				drive(b, bareServer(b), conns, 5, func(int) []byte { return produceFrame(0, 1, batch) }, len(batch))
			})
		}
	}
}

// BenchmarkProduceRaw sends hand-built batches.
func BenchmarkProduceRaw(b *testing.B) {
	for _, acks := range []int16{1, -1} {
		for _, size := range []int{64 << 10, 256 << 10, 900 << 10} {
			for _, conns := range []int{1, 4} {
				b.Run(fmt.Sprintf("acks=%d/batch=%dkB/conns=%d", acks, size>>10, conns), func(b *testing.B) {
					batch, _ := lineBatch(b, size, record.None)
					drive(b, serveBench(b, conns), conns, 5, func(i int) []byte { return produceFrame(int32(i), acks, batch) }, len(batch))
				})
			}
		}
	}
}

// BenchmarkProduceSmall sends batches of one record over 16 connections, one or five at a time, and waits for the disk.
func BenchmarkProduceSmall(b *testing.B) {
	batch := sealed(b, 200)
	for _, inFlight := range []int{1, 5} {
		for _, partitions := range []int{1, 16} {
			b.Run(fmt.Sprintf("inflight=%d/partitions=%d", inFlight, partitions), func(b *testing.B) {
				frame := func(i int) []byte { return produceFrame(int32(i%partitions), -1, batch) }
				drive(b, serveBench(b, partitions), 16, inFlight, frame, len(batch))
			})
		}
	}
}

// sealed is a batch of one record.
func sealed(b *testing.B, size int) []byte {
	b.Helper()
	builder := record.NewBuilder(size + 100)
	builder.Append(0, nil, make([]byte, size), 0, nil)
	batch, err := builder.Seal(nil, record.NoProducer, record.None, 1_700_000_000_000, 1_700_000_000_000)
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

// drive sends b.N requests over so many connections, with so many in flight on each.
func drive(b *testing.B, addr string, conns, inFlight int, frame func(i int) []byte, size int) {
	b.SetBytes(int64(size))
	b.ResetTimer()
	busy := cpuTime()
	var wg sync.WaitGroup
	for i := range conns {
		n := b.N / conns
		if i < b.N%conns {
			n++
		}
		wg.Go(func() {
			if err := pump(addr, frame(i), n, inFlight); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
	b.ReportMetric(float64((cpuTime()-busy).Microseconds())/float64(b.N), "cpu-µs/batch") // the client's too
}

// pump sends one request n times over one connection.
func pump(addr string, frame []byte, n, inFlight int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	window, sent := make(chan struct{}, inFlight), make(chan error, 1)
	go func() {
		for range n {
			window <- struct{}{}
			if _, err := conn.Write(frame); err != nil {
				conn.Close()
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	r := bufio.NewReader(conn)
	var buf []byte
	for range n {
		if buf, err = readReply(r, buf); err != nil {
			return err
		}
		<-window
	}
	return <-sent
}

// bareServer reads requests, sums them, writes them and answers.
func bareServer(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for id := 0; ; id++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			serving.Go(func() { bareLoop(conn, filepath.Join(dir, fmt.Sprint(id))) })
		}
	})
	b.Cleanup(func() {
		cancel()
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// bareLoop serves one connection until it ends.
func bareLoop(conn net.Conn, path string) {
	defer conn.Close()
	table := crc32.MakeTable(crc32.Castagnoli)
	buf := make([]byte, 1<<20)
	answer := make([]byte, 4+40)
	binary.BigEndian.PutUint32(answer, 40)
	var file *os.File
	at := int64(benchSegment)
	for n := 0; ; {
		if at >= benchSegment {
			if file != nil {
				file.Close()
			}
			_ = os.Remove(fmt.Sprint(path, "-", n-2))
			var err error
			if file, err = os.Create(fmt.Sprint(path, "-", n)); err != nil {
				return
			}
			n, at = n+1, 0
		}
		if _, err := io.ReadFull(conn, buf[:4]); err != nil {
			return
		}
		size := int(binary.BigEndian.Uint32(buf))
		if _, err := io.ReadFull(conn, buf[:size]); err != nil {
			return
		}
		answer[4] = byte(crc32.Checksum(buf[:size], table))
		if _, err := file.WriteAt(buf[:size], at); err != nil {
			return
		}
		at += int64(size)
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
