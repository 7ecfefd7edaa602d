package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"
)

const (
	saramaBytes = 200     // of a record
	saramaRate  = 275_000 // records a second that the producer is given
	saramaOld   = 310_000 // records a second that the reader of older ones takes at most
	saramaGC    = 400     // GOGC of the clients: their records become garbage as fast as they come
)

// saramaIn and saramaOut are the legs of saramaBothWays: the records that came in, and those that went out with how late
// they were, from the broker's append on. saramaAll is how late from the producer's input on, which is mostly the wait in
// sarama's own queues.
const (
	saramaIn  = "sarama in"
	saramaOut = "sarama out"
	saramaAll = "sarama from the producer's input"
)

// saramaBothWays runs, in one process and at the same time, an AsyncProducer that is given records a little faster than
// the goal, a ConsumePartition that follows them, and one that reads older records, faster than the rest of the goal; each
// with a connection of its own. Each record carries the time when it was given to the producer, and gets that of its
// append from the broker, in whole milliseconds rounded down: so the wait from there is told up to one too long.
func saramaBothWays(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	for topic, settings := range map[string]map[string]string{"old": nil, "new": {"message.timestamp.type": "LogAppendTime"}} {
		if err := createTopic(ctx, s.addr, topic, 1, settings); err != nil {
			return nil, err
		}
	}
	const each = 300
	fill := pump{addr: s.addr, topic: "old", acks: 1, window: 5, batch: zeros(each, saramaBytes), more: times(max(1, b.Size.Old/each))}
	if _, err := fill.run(ctx); err != nil {
		return nil, err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(saramaGC))
	r := &saramaRun{addrs: []string{s.addr}, config: saramaConfig(), warm: b.Size.Sarama / 4, span: s.watch()}
	if err := r.run(ctx, r.warm+b.Size.Sarama); err != nil {
		return nil, err
	}
	took := b.Size.Sarama
	in := r.span.leg(saramaIn, float64(r.in.Load()), float64(r.in.Load()*saramaBytes), took)
	out := r.span.leg(saramaOut, float64(r.out.Load()), float64(r.out.Load()*saramaBytes), took)
	// One process served both ways: what it took is told once, for a GB that came in or went out.
	in.CPUSPerGB, out.CPUSPerGB = nil, nil
	if cpu := r.span.percent(); cpu != nil {
		in.CPU = cpu
	}
	if len(r.late) == 0 {
		return nil, errors.New("sarama's consumer saw no new record after the warm-up")
	}
	out.P99MS = percentile(r.late, 0.99)
	return []BrokerLeg{in, out, {Name: saramaAll, Server: s.name(), P99MS: percentile(r.all, 0.99)}}, nil
}

// saramaConfig is sarama's defaults but for what somebody sets who wants speed and short waits: batches of 64 KiB or a
// millisecond, and queues of 1024 records between its goroutines.
func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID, config.Version, config.Producer.Return.Successes = "loghaul-bench", sarama.V2_8_0_0, true
	config.Producer.Flush.Bytes, config.Producer.Flush.Frequency = 64<<10, time.Millisecond
	config.ChannelBufferSize = 1024
	return config
}

// saramaRun is one run of producer and consumers.
type saramaRun struct {
	addrs     []string
	config    *sarama.Config
	span      watched
	warm      time.Duration
	from      time.Time // counted from here on
	in, out   atomic.Int64
	late, all []time.Duration // from the append, and from the producer's input, on; read after the end
}

func (r *saramaRun) run(ctx context.Context, d time.Duration) error {
	r.from = time.Now().Add(r.warm)
	group, gctx := errgroup.WithContext(ctx)
	gctx, cancel := context.WithTimeout(gctx, d)
	defer cancel()
	group.Go(func() error { return r.produce(gctx) })
	group.Go(func() error {
		return r.consume(gctx, "new", func(m *sarama.ConsumerMessage, now time.Time) {
			r.late = append(r.late, now.Sub(m.Timestamp))
			r.all = append(r.all, now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(m.Value)))))
		})
	})
	group.Go(func() error { return r.consume(gctx, "old", nil) })
	return group.Wait()
}

// counts tells whether the warm-up is over.
func (r *saramaRun) counts() bool { return time.Now().After(r.from) }

// produce gives the producer records until the context ends.
func (r *saramaRun) produce(ctx context.Context) error {
	p, err := sarama.NewAsyncProducer(r.addrs, r.config)
	if err != nil {
		return fmt.Errorf("starting sarama's producer: %w", err)
	}
	var group errgroup.Group
	group.Go(func() error {
		for range p.Successes() {
			if r.counts() {
				r.in.Add(1)
			}
		}
		return nil
	})
	group.Go(func() (err error) {
		for e := range p.Errors() {
			err = e.Err
		}
		return err
	})
	began := time.Now()
	for sent := 0; ctx.Err() == nil; {
		for due := int(time.Since(began).Seconds() * saramaRate); sent < due && ctx.Err() == nil; sent++ {
			value := make([]byte, saramaBytes)
			binary.BigEndian.PutUint64(value, uint64(time.Now().UnixNano()))
			select {
			case p.Input() <- &sarama.ProducerMessage{Topic: "new", Value: sarama.ByteEncoder(value)}:
			case <-ctx.Done():
			}
		}
		pause(ctx, time.Millisecond)
	}
	p.AsyncClose()
	return group.Wait()
}

// consume reads a topic until the context ends; one that only waits to be read is read again from its beginning.
func (r *saramaRun) consume(ctx context.Context, topic string, each func(*sarama.ConsumerMessage, time.Time)) error {
	c, err := sarama.NewConsumer(r.addrs, r.config)
	if err != nil {
		return fmt.Errorf("starting sarama's consumer: %w", err)
	}
	defer c.Close()
	for ctx.Err() == nil {
		pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
		if err != nil {
			return fmt.Errorf("consuming %s-0: %w", topic, err)
		}
		r.read(ctx, pc, each)
		if err := pc.Close(); err != nil {
			return fmt.Errorf("consuming %s-0: %w", topic, err)
		}
	}
	return nil
}

// read counts messages until the context ends, or the last one is there and no more are to come: those it takes no faster
// than saramaOld.
func (r *saramaRun) read(ctx context.Context, pc sarama.PartitionConsumer, each func(*sarama.ConsumerMessage, time.Time)) {
	began := time.Now()
	for n := 0; ; n++ {
		for each == nil && n%64 == 0 && float64(n) > time.Since(began).Seconds()*saramaOld && pause(ctx, time.Millisecond) == nil {
		}
		select {
		case m := <-pc.Messages():
			if m == nil {
				return
			}
			if r.counts() {
				r.out.Add(1)
				if each != nil {
					each(m, time.Now())
				}
			}
			if each == nil && m.Offset+1 >= pc.HighWaterMarkOffset() {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
