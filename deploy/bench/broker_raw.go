package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// timed measures something that answers how many records and bytes it moved.
func timed(name, server string, do func() (records, bytes float64, err error)) (BrokerLeg, error) {
	began := time.Now()
	records, bytes, err := do()
	took := time.Since(began).Seconds()
	return BrokerLeg{Name: name, Server: server, LinesPerS: new(records / took), MBPerS: new(bytes / 1e6 / took)}, err
}

// raw sends batches of so many bytes that are built once, five on the wire, acks=1, and fetches them again, 8 MB at a
// time. Beside it stands the bare loop.
func raw(size int) func(context.Context, *brokerBench, *server) ([]BrokerLeg, error) {
	return func(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
		batch, records := lines(size)
		n := max(1, b.Size.Raw*1e6/len(batch))
		var found []BrokerLeg
		if s.name() == ours {
			l, err := measureBare(ctx, filepath.Join(b.dir, "bare"), rawName("in", size), batch, records, n)
			if err != nil {
				return nil, err
			}
			found = append(found, l)
		}
		for _, topic := range []string{"warm", "bench"} {
			if err := createTopic(ctx, s.addr, topic, 1, nil); err != nil {
				return nil, err
			}
		}
		send := func(topic string, n int) (int, error) {
			return pump{addr: s.addr, topic: topic, acks: 1, window: 5, batch: batch, more: times(n)}.run(ctx)
		}
		warm, err := send("warm", max(1, b.Size.Warm*1e6/len(batch)))
		if err != nil {
			return nil, err
		}
		if _, err := drink(ctx, s.addr, "warm", int64(warm*records)); err != nil {
			return nil, err
		}
		in := s.watch()
		sent, err := send("bench", n)
		if err != nil {
			return nil, err
		}
		found = append(found, in.leg(rawName("in", size), float64(sent*records), float64(sent*len(batch)), 0))
		if err := holds(ctx, s.addr, "bench", 1, int64(sent*records)); err != nil {
			return nil, err
		}
		out := s.watch()
		got, err := drink(ctx, s.addr, "bench", int64(sent*records))
		if err != nil {
			return nil, err
		}
		return append(found, out.leg(rawName("out", size), float64(sent*records), float64(got), 0)), nil
	}
}

func rawName(way string, size int) string { return fmt.Sprintf("raw %s, %d KiB", way, size>>10) }

// drink fetches partition 0 from its beginning up to an offset, and answers the bytes of the batches. Each must begin
// where the last ended.
func drink(ctx context.Context, addr, topic string, to int64) (bytes int64, err error) {
	w, err := dialWire(ctx, addr, roomy)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	var at record.Offset
	for int64(at) < to {
		if err := w.send(fetchFrame(topic, 0, at, 8<<20)); err != nil {
			return bytes, err
		}
		var gap error
		if err := w.fetched(topic, 0, func(h record.Header, _ []byte) {
			if h.BaseOffset != at {
				gap = fmt.Errorf("topic %s: behind offset %d comes %d", topic, at, h.BaseOffset)
			}
			at = h.NextOffset()
			bytes += int64(h.Size())
		}); err != nil {
			return bytes, fmt.Errorf("fetching topic %s from offset %d: %w", topic, at, err)
		}
		if gap != nil {
			return bytes, gap
		}
	}
	return bytes, nil
}
