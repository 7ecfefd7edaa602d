package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// serveBench runs a broker for a benchmark, with one topic of so many partitions.
func serveBench(b *testing.B, partitions int) string {
	b.Helper()
	br, err := broker.New(broker.Config{Data: b.TempDir(), Listen: []string{"127.0.0.1:0"}, CreateTopics: []string{fmt.Sprintf("bench:%d", partitions)},
		Settings: map[string]string{"log.segment.bytes": "268435456", "log.retention.bytes": "536870912", "log.retention.check.interval.ms": "1000"}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- br.Run(ctx) }()
	select {
	case <-br.Ready():
	case err := <-ended:
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return br.Addr()
}

// lineBatch is a batch of lines of 170 bytes, about size bytes before compression.
func lineBatch(b *testing.B, size int, codec record.Codec) (batch []byte, records int) {
	b.Helper()
	builder := record.NewBuilder(size + 1024)
	for i := 0; builder.Len() < size; i++ {
		line := fmt.Sprintf(`10.1.%d.%d - - [21/Nov/2026:11:%02d:%02d +0000] "GET /api/v1/items/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" %d.%03d`,
			i%256, i*7%256, i%60, i*13%60, i*7919, i*31%9999, i%3, i%1000)
		builder.Append(0, []byte("host-1:/var/log/nginx/access.log"), []byte(line), 1, record.AppendHeader(nil, "pos", fmt.Appendf(nil, "0a1b2c3d:%d+171", i*171)))
	}
	batch, err := builder.Seal(nil, record.NoProducer, codec, 1_700_000_000_000, 1_700_000_000_000)
	if err != nil {
		b.Fatal(err)
	}
	return batch, builder.Count()
}

// produceFrame is a Produce v7 request for one partition.
func produceFrame(partition int32, acks int16, batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(7)
	req.Acks, req.TimeoutMillis = acks, 30000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "bench", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch}}}}
	return kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
}

// readReply reads one response and returns its body behind the correlation id.
func readReply(r *bufio.Reader, buf []byte) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(r, buf[:n])
	return buf[:n], err
}

func BenchmarkProduce(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.Snappy} {
		for _, acks := range []int16{1, -1} {
			for _, conns := range []int{1, 4} {
				b.Run(fmt.Sprintf("%s/acks=%d/conns=%d", codec, acks, conns), func(b *testing.B) { benchProduce(b, codec, acks, conns) })
			}
		}
	}
}

// benchProduce pipelines five requests of 256 kB on each connection.
func benchProduce(b *testing.B, codec record.Codec, acks int16, conns int) {
	addr := serveBench(b, conns)
	batch, records := lineBatch(b, 256<<10, codec)
	b.SetBytes(int64(len(batch)))
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			frame := produceFrame(int32(i), acks, batch)
			window := make(chan struct{}, 5)
			n := b.N/conns + 1
			wg.Go(func() {
				for range n {
					window <- struct{}{}
					if _, err := conn.Write(frame); err != nil {
						b.Error(err)
						return
					}
				}
			})
			r := bufio.NewReader(conn)
			var buf []byte
			for range n {
				if buf, err = readReply(r, buf); err != nil {
					b.Error(err)
					return
				}
				<-window
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkFetch(b *testing.B) {
	const partitionBytes, ask = 64 << 20, 8 << 20
	addr := serveBench(b, 1)
	batch, _ := lineBatch(b, 256<<10, record.None)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	frame := produceFrame(0, -1, batch)
	for range partitionBytes / len(batch) {
		if _, err := conn.Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := readReply(r, nil); err != nil {
			b.Fatal(err)
		}
	}
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(11)
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 500, 1, ask
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "bench", Partitions: []kmsg.FetchRequestTopicPartition{{Partition: 0, FetchOffset: 0, PartitionMaxBytes: ask}}}}
	fetch := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
	buf := make([]byte, ask+1024)
	b.SetBytes(ask)
	b.ResetTimer()
	for range b.N {
		if _, err := conn.Write(fetch); err != nil {
			b.Fatal(err)
		}
		got, err := readReply(r, buf)
		if err != nil || len(got) < ask-len(batch) {
			b.Fatalf("reply of %d bytes: %v", len(got), err)
		}
	}
}
