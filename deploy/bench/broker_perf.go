package bench

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// perf lets Kafka's own tools write records of so many bytes as their defaults are (acks=all, idempotent), gathered
// into batches of 128 KiB as its documentation advises for throughput, and read them back.
func perf(size int) func(context.Context, *brokerBench, *server) ([]BrokerLeg, error) {
	return func(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
		count := b.Size.Perf * 1e6 / size
		if err := createTopic(ctx, s.addr, "bench", 1, nil); err != nil {
			return nil, err
		}
		if err := b.warmUp(ctx, s.addr, b.Size.Warm*1e6/size, size); err != nil {
			return nil, err
		}
		in := s.watch()
		rate, err := b.kafka.producerPerf(ctx, s.addr, "bench", count, size)
		if err != nil {
			return nil, err
		}
		legIn := in.leg(perfName("in", size), float64(count), float64(count*size), atRate(count, rate))
		if err := holds(ctx, s.addr, "bench", 1, int64(count)); err != nil {
			return nil, err
		}
		out := s.watch()
		if rate, err = b.kafka.consumerPerf(ctx, s.addr, "bench", count); err != nil {
			return nil, err
		}
		legOut := out.leg(perfName("out", size), float64(count), float64(count*size), atRate(count, rate))
		return []BrokerLeg{legIn, legOut}, nil
	}
}

// warmUp lets the tools write and read so many records of a topic that is not measured.
func (b *brokerBench) warmUp(ctx context.Context, addr string, count, size int) error {
	if count == 0 {
		return nil
	}
	if err := createTopic(ctx, addr, "warm", 1, nil); err != nil {
		return err
	}
	if _, err := b.kafka.producerPerf(ctx, addr, "warm", count, size); err != nil {
		return err
	}
	_, err := b.kafka.consumerPerf(ctx, addr, "warm", count)
	return err
}

func perfName(way string, size int) string { return fmt.Sprintf("perf %s, %d B", way, size) }

// atRate is how long so many records take at a rate a second.
func atRate(count int, rate float64) time.Duration {
	return time.Duration(float64(count) / rate * float64(time.Second))
}

// producerPerf answers the records a second that the tool reports.
func (k *apacheKafka) producerPerf(ctx context.Context, addr, topic string, count, size int) (float64, error) {
	out, err := k.tool(ctx, "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", addr, "--topic", topic,
		"--num-records", strconv.Itoa(count), "--record-size", strconv.Itoa(size), "--throughput", "-1",
		"--command-property", "batch.size=131072", "linger.ms=5")
	if err != nil {
		return 0, err
	}
	return producerRate(out)
}

// producerRate finds the rate in the tool's last line:
//
//	5000000 records sent, 489236.8 records/sec (59.25 MB/sec), 3.10 ms avg latency, ...
func producerRate(out string) (float64, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	_, rest, ok := strings.Cut(lines[len(lines)-1], " records sent, ")
	text, _, per := strings.Cut(rest, " records/sec")
	rate, err := strconv.ParseFloat(text, 64)
	if !ok || !per || err != nil || !(rate > 0) {
		return 0, fmt.Errorf("producer-perf said no rate:\n%s", out)
	}
	return rate, nil
}

// consumerPerf answers the records a second that the tool reports, without the time in which it joined its group.
func (k *apacheKafka) consumerPerf(ctx context.Context, addr, topic string, count int) (float64, error) {
	out, err := k.tool(ctx, "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", addr, "--topic", topic,
		"--num-records", strconv.Itoa(count), "--timeout", "60000", "--hide-header")
	if err != nil {
		return 0, err
	}
	return consumerRate(out, count)
}

// consumerRate finds the rate in the tool's line: start, end, MB, MB a second, records, records a second, rebalance ms,
// fetch ms, fetch MB a second, fetch records a second. It complains when records are missing.
func consumerRate(out string, count int) (float64, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	f := strings.Split(lines[len(lines)-1], ", ")
	if len(f) != 10 {
		return 0, fmt.Errorf("consumer-perf said no rate:\n%s", out)
	}
	got, err1 := strconv.Atoi(f[4])
	rate, err2 := strconv.ParseFloat(f[9], 64)
	if err1 != nil || err2 != nil || !(rate > 0) {
		return 0, fmt.Errorf("consumer-perf said no rate:\n%s", out)
	}
	if got < count {
		return 0, fmt.Errorf("consumer-perf read %d records of %d", got, count)
	}
	return rate, nil
}

// tool runs one of Kafka's command line tools as its start script does, and answers what it said.
func (k *apacheKafka) tool(ctx context.Context, class string, args ...string) (string, error) {
	cmd := k.jvm("512m", append([]string{class}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := runUntil(ctx, cmd); err != nil {
		return "", fmt.Errorf("running %s: %w\n%s%s", class, err, out.String(), complaint.String())
	}
	return out.String(), nil
}

// runUntil runs a program, which is killed when the context ends.
func runUntil(ctx context.Context, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	return cmd.Wait()
}
