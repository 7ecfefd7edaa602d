package agent

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/kafka"
)

// sinkEnv makes the test's own program a broker that discards what it gets.
const sinkEnv = "LOGHAUL_TEST_SINK"

// sinkMain serves until its standard input ends.
func sinkMain() {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "web_log"), kfake.BlackholeProduce())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.ListenAddrs()[0])
	bufio.NewReader(os.Stdin).ReadByte()
	c.Close()
}

// BenchmarkFileToDiscard reads one file of access log lines, with journal and all, into
// a broker in another process that discards. LOGHAUL_BENCH_MB is the file's size.
func BenchmarkFileToDiscard(b *testing.B) {
	for _, codec := range []string{"none", "snappy"} {
		b.Run(codec, func(b *testing.B) { fileToDiscard(b, codec) })
	}
}

func fileToDiscard(b *testing.B, codec string) {
	mb := 256
	if n, err := strconv.Atoi(os.Getenv("LOGHAUL_BENCH_MB")); err == nil {
		mb = n
	}
	addr := discard(b)
	logs := b.TempDir()
	file := filepath.Join(logs, "access.log")
	lines, size := accessLog(b, file, mb<<20)
	b.SetBytes(size)
	for b.Loop() {
		inputs := etcdconf.NewMemory(etcdconf.KindInput)
		inputs.Put("web", fmt.Sprintf(`{"paths":[%q],"topic":"web_log","compression":%q}`, file, codec))
		a, err := New(Config{Data: b.TempDir(), Host: "web-1", Roots: []string{logs}, Inputs: inputs, Kafka: kafka.Config{Brokers: []string{addr}}, Once: true})
		if err != nil {
			b.Fatal(err)
		}
		cpu, began := cpuSeconds(b), time.Now()
		if err := a.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
		if got := a.metrics.records.Load(); got != int64(lines) {
			b.Fatalf("%d of %d lines", got, lines)
		}
		b.ReportMetric((cpuSeconds(b)-cpu)/(float64(size)/1e9), "cpu-s/GB")
		b.ReportMetric(float64(lines)/time.Since(began).Seconds(), "lines/s")
	}
}

// discard starts the broker that discards.
func discard(b *testing.B) string {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), sinkEnv+"=1")
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); c.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// accessLog writes lines of about 170 bytes, as a web server does.
func accessLog(b *testing.B, file string, size int) (lines int, bytes int64) {
	b.Helper()
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for bytes < int64(size) {
		n, err := fmt.Fprintf(w, "203.0.113.%d - - [21/Nov/2026:11:%02d:%02d +0000] \"GET /shop/item/%d?ref=%x HTTP/1.1\" 200 %d \"https://example.org/start\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\"\n",
			lines%250, lines/60%60, lines%60, lines*7919%100000, lines*2654435761%65536, 1000+lines%9000)
		if err != nil {
			b.Fatal(err)
		}
		lines++
		bytes += int64(n)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return lines, bytes
}

// cpuSeconds is what this process has used of the processors.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Skip("no /proc here")
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		b.Fatal("/proc/self/stat has another shape")
	}
	return (user + system) / 100 // clock ticks
}
