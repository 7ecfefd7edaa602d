//go:build unix

package transfer

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkTopicToFile moves 170 byte lines from a topic in memory into a file, with fsync before every commit.
func BenchmarkTopicToFile(b *testing.B) {
	for _, partitions := range []int32{1, 4} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) { benchTopicToFile(b, partitions) })
	}
}

func benchTopicToFile(b *testing.B, partitions int32) {
	const lines = 2_000_000
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "web_log"))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	fillTopic(b, cluster, partitions, lines)
	for b.Loop() {
		sinks := etcdconf.NewMemory(etcdconf.KindSink)
		dir := b.TempDir()
		sinks.Put(fmt.Sprintf("out-%d", time.Now().UnixNano()), `{"type":"file","topics":["web_log"]}`)
		tr, err := New(Config{
			Data: dir, Host: "web-1", Sinks: sinks, OutRoot: filepath.Join(dir, "out"), Kafka: kafka.Config{Brokers: cluster.ListenAddrs()},
		})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		began, cpu := time.Now(), cpuTime()
		go func() { ended <- tr.Run(ctx) }()
		tick := time.NewTicker(2 * time.Millisecond)
		for !caughtUp(tr, int(partitions)) {
			<-tick.C
		}
		tick.Stop()
		took, used := time.Since(began), cpuTime()-cpu
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(lines/took.Seconds(), "lines/s")
		b.ReportMetric(used.Seconds()/(lines*170/1e9), "cpu-s/GB")
	}
}

func caughtUp(tr *Transfer, partitions int) bool {
	s := tr.Status()
	if len(s.Routes) != 1 || s.Routes[0].LagRecords != 0 || len(s.Routes[0].Partitions) != partitions {
		return false
	}
	routes, _ := tr.mu.slots.routes()
	for _, w := range routes[0].current() {
		if w.Status().Committed <= 0 || w.Status().LagRecords != 0 {
			return false
		}
	}
	return true
}

func fillTopic(b *testing.B, cluster *kfake.Cluster, partitions int32, lines int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(900_000), kgo.ProducerLinger(50*time.Millisecond), kgo.MaxBufferedRecords(200_000),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for i := range lines {
		line := fmt.Sprintf(`10.%d.%d.%d - - [21/Nov/2026:10:58:%02d +0000] "GET /articles/%d/comments?page=%d HTTP/1.1" 200 %d "https://example.org/start" "Mozilla/5.0 (X11; Linux x86_64) Gecko/2010"`,
			i%256, i/7%256, i/11%256, i%60, i/3%10000, i%17, i*31%90000)
		line = fmt.Sprintf("%-169.169s", line)
		client.Produce(b.Context(), &kgo.Record{
			Topic: "web_log", Partition: int32(i) % partitions, Key: []byte("web-1:/var/log/nginx/access.log"), Value: []byte(line),
			Headers: []kgo.RecordHeader{{Key: "pos", Value: fmt.Appendf(nil, "0000abcd:%d+170", i*170)}},
		}, nil)
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
