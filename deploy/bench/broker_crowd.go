package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

const clientsName = "open connections"

// spread sends a batch n times to each partition of a topic, over four connections.
func spread(ctx context.Context, addr, topic string, partitions, n int, batch []byte) error {
	const conns, window = 4, 16
	group, ctx := errgroup.WithContext(ctx)
	for c := range conns {
		group.Go(func() error {
			w, err := dialWire(ctx, addr, roomy)
			if err != nil {
				return err
			}
			defer w.Close()
			open := 0
			for p := c; p < partitions; p += conns {
				frame := produceFrame(topic, int32(p), 1, batch)
				for range n {
					if err := w.send(frame); err != nil {
						return fmt.Errorf("sending to %s-%d: %w", topic, p, err)
					}
					if open++; open < window {
						continue
					}
					if err := w.produced(topic); err != nil {
						return fmt.Errorf("sending to %s: %w", topic, err)
					}
					open--
				}
			}
			for ; open > 0; open-- {
				if err := w.produced(topic); err != nil {
					return fmt.Errorf("sending to %s: %w", topic, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// oneEach makes a topic and puts one record into each partition.
func oneEach(ctx context.Context, addr, topic string, partitions int) error {
	for at := 0; at == 0 || at < partitions; at += 1000 { // a broker may answer slowly when asked for many at once
		if at == 0 {
			if err := createTopic(ctx, addr, topic, min(1000, partitions), nil); err != nil {
				return err
			}
			continue
		}
		if err := extendTopic(ctx, addr, topic, min(at+1000, partitions)); err != nil {
			return err
		}
	}
	return spread(ctx, addr, topic, partitions, 1, zeros(1, 100))
}

// clients opens connections that each greet, send a record and then stay.
func clients(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	if err := createTopic(ctx, s.addr, "bench", 1, nil); err != nil {
		return nil, err
	}
	span := s.watch()
	hello := kmsg.NewPtrApiVersionsRequest()
	hello.Version = 2
	greeting := kmsg.NewRequestFormatter(kmsg.FormatterClientID("loghaul-bench")).AppendRequest(nil, hello, 1)
	frame := produceFrame("bench", 0, 1, zeros(1, 1000))
	var conns []*wire
	defer func() {
		for _, w := range conns {
			w.Close()
		}
	}()
	for i := range b.Size.Clients {
		w, err := newcomer(ctx, s.addr, greeting, frame)
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", i+1, err)
		}
		conns = append(conns, w)
	}
	took := time.Since(span.began)
	if err := holds(ctx, s.addr, "bench", 1, int64(b.Size.Clients)); err != nil {
		return nil, err
	}
	if err := pause(ctx, time.Second); err != nil {
		return nil, err
	}
	l := span.leg(clientsName, float64(b.Size.Clients), float64(1000*b.Size.Clients), took)
	l.CPUSPerGB, l.MBPerS = nil, nil
	return []BrokerLeg{l}, nil
}

// newcomer is a connection that has greeted and sent one record. Its own buffers are small: there are thousands.
func newcomer(ctx context.Context, addr string, greeting, frame []byte) (*wire, error) {
	w, err := dialWire(ctx, addr, 512)
	if err != nil {
		return nil, err
	}
	if err = w.send(greeting); err == nil {
		var rest int
		if _, rest, err = w.head(4); err == nil {
			_, err = w.in.Discard(rest)
		}
	}
	if err == nil {
		err = w.send(frame)
	}
	if err == nil {
		err = w.produced("bench")
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}
