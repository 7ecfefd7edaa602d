package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// topicName is the leg of toTopic.
func topicName(codec, broker string) string {
	return fmt.Sprintf("file to topic, %s, %s", codec, broker)
}

// toTopic brings a log into a topic of one partition, acks=all: this program's agent into each broker that is there, the
// others, if they are wanted, into the bundled one.
func toTopic(codec string, others bool) func(context.Context, *agentBench) ([]BrokerLeg, error) {
	return func(ctx context.Context, b *agentBench) ([]BrokerLeg, error) {
		file, err := b.accessLog(b.Size.Lines)
		if err != nil {
			return nil, err
		}
		var found []BrokerLeg
		for i, m := range b.brokers {
			legs, err := b.on(ctx, m, func(s *server) (legs []BrokerLeg, err error) {
				for _, sh := range b.shippers {
					if sh.name() != ours && (!others || i > 0) {
						continue
					}
					l, failed := b.ship(ctx, s, sh, job{file: file, codec: codec, once: true})
					if failed != nil {
						err = errors.Join(err, fmt.Errorf("%s: %w", sh.name(), failed))
						continue
					}
					l.Name = topicName(codec, s.name())
					legs = append(legs, l)
				}
				return legs, err
			})
			found = append(found, legs...)
			if err != nil {
				return found, err
			}
		}
		return found, nil
	}
}

// ship lets a shipper bring a whole log to a topic of its own. The clock runs from the start of its process until the
// topic holds every line.
func (b *agentBench) ship(ctx context.Context, s *server, sh shipper, j job) (l BrokerLeg, err error) {
	j.topic, j.addr = "bench-"+sh.name(), s.addr
	if err := createTopic(ctx, s.addr, j.topic, 1, nil); err != nil {
		return l, err
	}
	if j.dir, err = os.MkdirTemp(b.dir, "agent-"); err != nil {
		return l, err
	}
	defer func() {
		os.RemoveAll(j.dir)
		settleDisk()
	}()
	b.Say("  %s into %s", sh.name(), s.name())
	pr, err := sh.start(ctx, j)
	if err != nil {
		return l, err
	}
	defer pr.kill()
	took, err := b.arrived(ctx, s, sh, pr, j.topic)
	if err != nil {
		return l, err
	}
	bytes := float64(b.Size.Lines) * lineBytes
	return BrokerLeg{Server: sh.name(), LinesPerS: new(float64(b.Size.Lines) / took.Seconds()), MBPerS: new(bytes / 1e6 / took.Seconds()),
		CPUSPerGB: new(pr.cpu().Seconds() / (bytes / 1e9)), PeakRSSMB: pr.peakMB()}, nil
}

// arrived waits until the topic holds every line, once, and the shipper has ended: ours does so by itself.
func (b *agentBench) arrived(ctx context.Context, s *server, sh shipper, pr *process, topic string) (took time.Duration, err error) {
	if sh.name() == ours {
		if err := pr.waitFor(ctx, patience); err != nil {
			return 0, err
		}
		took = time.Since(pr.began)
		return took, holds(ctx, s.addr, topic, 1, int64(b.Size.Lines))
	}
	var got int64
	var asked time.Time
	grown := time.Now()
	err = pr.until(ctx, func() bool {
		if time.Since(asked) < 20*time.Millisecond {
			return false
		}
		asked = time.Now()
		if n, err := ends(ctx, s.addr, topic, 1); err == nil && n != got {
			got, grown = n, asked
		}
		return got >= int64(b.Size.Lines) || time.Since(grown) > stalled
	})
	if err == nil && got < int64(b.Size.Lines) {
		err = pr.failed("sent nothing for " + stalled.String())
	}
	if err != nil {
		return 0, fmt.Errorf("%w: the topic holds %d records of %d lines", err, got, b.Size.Lines)
	}
	took = time.Since(pr.began)
	return took, pr.stop(ctx)
}

// stalled is how long another agent may send nothing before the end: it may have dropped lines.
const stalled = 30 * time.Second
