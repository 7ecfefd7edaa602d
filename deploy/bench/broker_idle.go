package bench

import (
	"context"
	"time"
)

// idle fills partitions with a record each and watches the server do nothing, then stops and starts it.
func idle(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	if err := oneEach(ctx, s.addr, "bench", b.Size.Parts); err != nil {
		return nil, err
	}
	if err := pause(ctx, b.Size.Idle/3); err != nil {
		return nil, err
	}
	span := s.watch()
	if err := pause(ctx, b.Size.Idle); err != nil {
		return nil, err
	}
	l := BrokerLeg{Name: idleName, Server: s.name(), CPU: span.percent(), PeakRSSMB: s.process.memoryMB("VmHWM:")}
	var took []time.Duration
	for range 3 {
		if err := s.process.stop(ctx); err != nil {
			return nil, err
		}
		if err := s.again(ctx); err != nil {
			return nil, err
		}
		ready, err := readyAfter(ctx, s, "bench", b.Size.Parts, int64(b.Size.Parts))
		if err != nil {
			return nil, err
		}
		took = append(took, ready)
	}
	l.ReadyMS = percentile(took, 0.5)
	return []BrokerLeg{l}, nil
}

const idleName = "idle"

// readyAfter asks a server that has just been started for the ends of a topic's partitions until all are served, and
// answers how long after its start that was. The records must all be there.
func readyAfter(ctx context.Context, s *server, topic string, partitions int, records int64) (time.Duration, error) {
	if err := retry(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		_, err := ends(ctx, s.addr, topic, partitions)
		return err
	}); err != nil {
		return 0, err
	}
	took := time.Since(s.process.began)
	return took, holds(ctx, s.addr, topic, partitions, records)
}

// crashOne and crashSpread are the legs of crash.
const (
	crashOneName    = "after kill -9, one partition"
	crashSpreadName = "after kill -9, many partitions"
)

func crashOne(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	return crash(ctx, crashOneName, s, b.Size.Crash, 1)
}

func crashSpread(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	return crash(ctx, crashSpreadName, s, b.Size.Crash, b.Size.Spread)
}

// crash fills partitions with so many MB, kills the server with the last acknowledgement, and measures how long it takes
// to serve again.
func crash(ctx context.Context, name string, s *server, mb, partitions int) ([]BrokerLeg, error) {
	if err := createTopic(ctx, s.addr, "bench", partitions, nil); err != nil {
		return nil, err
	}
	batch, records := lines(min(256<<10, max(1000, mb*1e6/partitions)))
	n := max(1, mb*1e6/len(batch)/partitions)
	if err := spread(ctx, s.addr, "bench", partitions, n, batch); err != nil {
		return nil, err
	}
	s.process.kill()
	if err := s.again(ctx); err != nil {
		return nil, err
	}
	took, err := readyAfter(ctx, s, "bench", partitions, int64(n*partitions*records))
	if err != nil {
		return nil, err
	}
	return []BrokerLeg{{Name: name, Server: s.name(), ReadyMS: percentile([]time.Duration{took}, 0.5), PeakRSSMB: s.process.memoryMB("VmHWM:")}}, nil
}
