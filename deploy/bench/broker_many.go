package bench

import (
	"context"
	"time"
)

const (
	manyName       = "many partitions"
	manyKilledName = "many partitions, after kill -9"
)

// many makes partitions, puts a record into each, watches the server do nothing, stops it, starts it and looks for the
// records; then once more with kill -9 right behind the last acknowledgement.
func many(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	n := b.Size.Many
	began := time.Now()
	if err := oneEach(ctx, s.addr, "bench", n); err != nil {
		return nil, err
	}
	l := BrokerLeg{Name: manyName, Server: s.name(), LinesPerS: new(float64(n) / time.Since(began).Seconds())}
	if err := pause(ctx, b.Size.Idle/3); err != nil {
		return nil, err
	}
	span := s.watch()
	if err := pause(ctx, b.Size.Idle); err != nil {
		return nil, err
	}
	l.CPU, l.PeakRSSMB = span.percent(), s.process.memoryMB("VmHWM:")
	if err := s.process.stop(ctx); err != nil {
		return nil, err
	}
	took, err := manyAgain(ctx, s, n, n)
	if err != nil {
		return nil, err
	}
	l.ReadyMS, l.Records = took, new(float64(n))
	if err := spread(ctx, s.addr, "bench", n, 1, zeros(1, 100)); err != nil {
		return nil, err
	}
	s.process.kill()
	if took, err = manyAgain(ctx, s, n, 2*n); err != nil {
		return nil, err
	}
	killed := BrokerLeg{Name: manyKilledName, Server: s.name(), ReadyMS: took, Records: new(float64(2 * n))}
	killed.PeakRSSMB = s.process.memoryMB("VmHWM:")
	return []BrokerLeg{l, killed}, nil
}

// manyAgain starts the server and looks for the records.
func manyAgain(ctx context.Context, s *server, partitions, records int) (ms *float64, err error) {
	if err := s.again(ctx); err != nil {
		return nil, err
	}
	took, err := readyAfter(ctx, s, "bench", partitions, int64(records))
	if err != nil {
		return nil, err
	}
	return percentile([]time.Duration{took}, 0.5), nil
}
