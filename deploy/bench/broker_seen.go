package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"golang.org/x/sync/errgroup"
)

const (
	seenRate  = 50e6     // bytes a second
	seenBatch = 16 << 10 // bytes: the batch.size that clients have by default
)

// seenName is the leg of seen.
const seenName = "seen at 50 MB/s"

// mark is what stands in a batch where the time of its sending goes.
const mark = "********"

// barestSync is whose figure stands beside that leg: what is seen is on the disk.
const barestSync = "bare fdatasync"

// seen sends batches at 50 MB/s with acks=1, each with the time of its sending, to a consumer that waits for them with a
// fetch open, and measures how long they take to be seen. Beside it stands how long the disk takes for them.
func seen(ctx context.Context, b *brokerBench, s *server) ([]BrokerLeg, error) {
	var found []BrokerLeg
	if s.name() == ours {
		batch, _, at := markedBatch()
		warm := b.Size.Seen / 4
		late, err := measureBareSync(ctx, filepath.Join(b.dir, "bare"), batch, at, warm+b.Size.Seen, time.Now().Add(warm))
		if err != nil {
			return nil, err
		}
		found = append(found, BrokerLeg{Name: seenName, Server: barestSync, P99MS: late})
	}
	l, err := seenBy(ctx, b, s)
	if err != nil {
		return found, err
	}
	return append(found, l), nil
}

// seenBy is what one server needs for that.
func seenBy(ctx context.Context, b *brokerBench, s *server) (l BrokerLeg, err error) {
	if err := createTopic(ctx, s.addr, "bench", 1, nil); err != nil {
		return l, err
	}
	batch, records, at := markedBatch()
	warm := b.Size.Seen / 4
	var late []time.Duration
	var sent int
	span := s.watch()
	stopped := make(chan int, 1) // how many were sent, from the sender; the consumer ends with the last
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		sent, err = pump{addr: s.addr, topic: "bench", acks: 1, window: 1000, batch: batch, more: paced(gctx, warm+b.Size.Seen, len(batch), at)}.run(gctx)
		stopped <- sent
		return err
	})
	group.Go(func() (err error) {
		late, err = follow(gctx, s.addr, records, at, time.Now().Add(warm), stopped)
		return err
	})
	if err := group.Wait(); err != nil {
		return l, err
	}
	if len(late) == 0 {
		return l, errors.New("the consumer saw no batch after the warm-up")
	}
	l = span.leg(seenName, float64(sent*records), float64(sent*len(batch)), 0)
	l.P99MS = percentile(late, 0.99)
	return l, nil
}

// markedBatch is a batch of lines, and where in it the time of its sending goes.
func markedBatch() (batch []byte, records, at int) {
	b := record.NewBuilder(seenBatch)
	b.Append(0, nil, []byte(mark), 0, nil)
	for line := make([]byte, 170); record.HeaderSize+b.Len()+len(line)+16 < seenBatch; {
		b.Append(0, nil, line, 0, nil)
	}
	batch = seal(b)
	return batch, b.Count(), bytes.Index(batch, []byte(mark))
}

// paced makes a pump send at seenRate for a while, and writes the time into each batch.
func paced(ctx context.Context, d time.Duration, size, at int) func([]byte) bool {
	began, sent := time.Now(), 0
	return func(batch []byte) bool {
		due := began.Add(time.Duration(float64(sent) * float64(size) / seenRate * float64(time.Second)))
		for time.Until(due) > 0 { // a sleep is about a millisecond at least: what is due by then goes out at once
			if pause(ctx, time.Until(due)) != nil {
				return false
			}
		}
		sent++
		now := time.Now()
		binary.BigEndian.PutUint64(batch[at:], uint64(now.UnixNano()))
		record.SetMaxTime(batch, now.UnixMilli()) // and the checksum
		return now.Sub(began) < d
	}
}

// follow fetches at the end of partition 0 and gathers how late each batch came, of those seen after from, until as many
// have come as stopped says.
func follow(ctx context.Context, addr string, records, at int, from time.Time, stopped <-chan int) ([]time.Duration, error) {
	w, err := dialWire(ctx, addr, roomy)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var next record.Offset
	var late []time.Duration
	for last := -1; last < 0 || int(next) < last*records; {
		if err := w.send(fetchFrame("bench", 0, next, 8<<20)); err != nil {
			return nil, err
		}
		if err := w.fetched("bench", at+8-record.HeaderSize, func(h record.Header, b []byte) {
			now := time.Now()
			if now.After(from) {
				late = append(late, now.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(b[at:])))))
			}
			next = h.NextOffset()
		}); err != nil {
			return nil, fmt.Errorf("fetching from offset %d: %w", next, err)
		}
		select {
		case last = <-stopped:
		default:
		}
	}
	return late, nil
}

// percentile is the figure in milliseconds that a share of the times stays below. It sorts them.
func percentile(times []time.Duration, share float64) *float64 {
	slices.Sort(times)
	i := min(len(times)-1, int(share*float64(len(times))))
	return new(times[i].Seconds() * 1000)
}
