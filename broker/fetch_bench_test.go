package broker_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wideFetch asks for many partitions from offset 0 on.
func wideFetch(partitions int, wait int32) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(11)
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = wait, 1, 1<<20
	topic := kmsg.FetchRequestTopic{Topic: "bench"}
	for i := range int32(partitions) {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes = i, 1<<20
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = []kmsg.FetchRequestTopic{topic}
	return kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
}

// BenchmarkFetchOfManyPartitions is what a consumer pays for naming all of its partitions each time, as there are no fetch
// sessions: none of them has anything new.
func BenchmarkFetchOfManyPartitions(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			conn, err := net.Dial("tcp", serveBench(b, n))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r, frame := bufio.NewReader(conn), wideFetch(n, 0)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if buf, err = readReply(r, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBareFile is the measure for BenchmarkFetch: the kernel's own way from a file to a socket, and nothing else.
func BenchmarkBareFile(b *testing.B) {
	const ask = 8 << 20
	file := filepath.Join(b.TempDir(), "bytes")
	if err := os.WriteFile(file, make([]byte, ask), 0o600); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() { sent <- sendBare(l, file) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, ask)
	b.SetBytes(ask)
	for b.Loop() {
		if _, err := conn.Write([]byte{1}); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			b.Fatal(err)
		}
	}
	conn.Close()
	if err := <-sent; err != nil {
		b.Error(err)
	}
}

// sendBare sends a file for each byte that one client sends, by sendfile where there is one.
func sendBare(l net.Listener, name string) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(conn, b); err != nil {
			return nil // the client went
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := conn.(*net.TCPConn).ReadFrom(f); err != nil {
			return err
		}
	}
}
