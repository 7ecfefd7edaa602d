package bench

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// small sends batches of one record of 100 bytes over 16 connections, each waiting for its answer with acks=all: into
// one partition, then into one for each connection. Kafka is told to sync each append, which is what this broker
// promises.
func small(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	configs := map[string]string{}
	if s.name() == apache {
		configs["flush.messages"] = "1"
	}
	var found []BrokerLeg
	for _, partitions := range []int{1, 16} {
		topic := fmt.Sprintf("bench-%d", partitions)
		if err := createTopic(ctx, s.addr, topic, partitions, configs); err != nil {
			return nil, err
		}
		send := func(more func() func([]byte) bool) (int, error) {
			var sent [16]int
			group, ctx := errgroup.WithContext(ctx)
			for i := range sent {
				group.Go(func() (err error) {
					sent[i], err = pump{addr: s.addr, topic: topic, partition: int32(i % partitions), acks: -1, window: 1, batch: zeros(1, 100), more: more()}.run(ctx)
					return err
				})
			}
			err := group.Wait()
			sum := 0
			for _, n := range sent {
				sum += n
			}
			return sum, err
		}
		warm, err := send(func() func([]byte) bool { return lasting(b.Size.Small / 4) })
		if err != nil {
			return nil, err
		}
		span := s.watch()
		sent, err := send(func() func([]byte) bool { return lasting(b.Size.Small) })
		if err != nil {
			return nil, err
		}
		found = append(found, span.leg(smallName(partitions), float64(sent), float64(100*sent), 0))
		if err := holds(ctx, s.addr, topic, partitions, int64(warm+sent)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func smallName(partitions int) string {
	return fmt.Sprintf("one record a batch, partitions: %d", partitions)
}
