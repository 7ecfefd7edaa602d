package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"golang.org/x/sync/errgroup"
)

// pump sends one Produce request again and again over a connection of its own.
type pump struct {
	addr, topic string
	partition   int32
	acks        int16
	window      int // requests on the wire at most
	batch       []byte
	// more is asked before each request, and may wait or change the batch, which it is given; false ends the sending.
	more func(batch []byte) bool
}

// run sends until more says no, and answers when all is acknowledged.
func (p pump) run(ctx context.Context) (sent int, err error) {
	group, ctx := errgroup.WithContext(ctx)
	w, err := dialWire(ctx, p.addr, roomy)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	frame := produceFrame(p.topic, p.partition, p.acks, p.batch)
	batch := frame[len(frame)-len(p.batch):]
	open := make(chan struct{}, p.window) // closed by the sender
	group.Go(func() error {
		defer close(open)
		for p.more(batch) {
			select {
			case open <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := w.send(frame); err != nil {
				return fmt.Errorf("sending to %s-%d: %w", p.topic, p.partition, err)
			}
		}
		return nil
	})
	group.Go(func() error {
		for range open {
			if err := w.produced(p.topic); err != nil {
				return fmt.Errorf("sending to %s-%d: %w", p.topic, p.partition, err)
			}
			sent++
		}
		return nil
	})
	return sent, group.Wait()
}

// times makes a pump stop after n requests.
func times(n int) func([]byte) bool {
	return func([]byte) bool {
		n--
		return n >= 0
	}
}

// lasting makes a pump stop after a while.
func lasting(d time.Duration) func([]byte) bool {
	end := time.Now().Add(d)
	return func([]byte) bool { return time.Now().Before(end) }
}

// lines is a batch of about size bytes: lines of an access log, uncompressed, of no producer.
func lines(size int) (batch []byte, records int) {
	b := record.NewBuilder(size)
	r := rand.New(rand.NewPCG(17, 4))
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var line []byte
	for b.Count() == 0 || record.HeaderSize+b.Len()+lineBytes+16 <= size {
		line = appendLine(line[:0], r, at)
		b.Append(0, nil, line[:lineBytes-1], 0, nil)
	}
	return seal(b), b.Count()
}

// zeros is a batch of so many records of so many bytes each.
func zeros(records, size int) []byte {
	b := record.NewBuilder(records * (size + 16))
	value := make([]byte, size)
	for range records {
		b.Append(0, nil, value, 0, nil)
	}
	return seal(b)
}

func seal(b *record.Builder) []byte {
	now := time.Now().UnixMilli()
	batch, err := b.Seal(nil, record.NoProducer, record.None, now, now)
	if err != nil {
		panic(err) // without a codec nothing can fail
	}
	return batch
}
