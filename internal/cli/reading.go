package cli

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// reading is the way through a topic's partitions from one set of offsets to another. One goroutine uses it.
type reading struct {
	cluster *cluster
	topic   string
	group   string            // whose way past what cannot be read is named; empty: none
	want    map[int32]stretch // moves on as batches are shown
	endless bool              // wait for what is still to come, also when the broker goes away for a while
	away    func(error)       // told once each time the broker goes away
}

// run calls show with what each answer holds, and idle whenever nothing more is there at the moment. It returns nil
// when every stretch is done, ctx's error, or what failed; an error of show or idle ends it.
func (r *reading) run(ctx context.Context, show func(*fetched) error, idle func() error) error {
	for {
		err := r.attempt(ctx, show, idle)
		var bad *damagedBatch
		if errors.As(err, &bad) {
			r.cluster.askCheck(ctx, r.topic, bad)
		}
		passes := errors.Is(err, errElsewhere) || errors.Is(err, errUnreachable)
		if !passes || !r.endless {
			return err
		}
		r.away(err)
		if err := r.comeBack(ctx); err != nil {
			return err
		}
	}
}

// comeBack waits until a broker answers for the topic again.
func (r *reading) comeBack(ctx context.Context) error {
	for {
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := r.cluster.leaders(ctx, r.topic); !errors.Is(err, errUnreachable) {
			return err
		}
	}
}

// attempt reads for as long as the leaders stay where they are.
func (r *reading) attempt(ctx context.Context, show func(*fetched) error, idle func() error) error {
	leaders, err := r.cluster.leaders(ctx, r.topic)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make(chan fetched) // closed below, after the last fetcher
	var fetchers sync.WaitGroup
	for addr, partitions := range byLeader(leaders) {
		f := &fetcher{cfg: r.cluster.cfg, addr: addr, topic: r.topic, group: r.group, want: map[int32]stretch{}, out: out}
		for _, p := range partitions {
			if s, ok := r.want[p]; ok {
				f.want[p] = s
			}
		}
		if len(f.want) == 0 {
			continue
		}
		fetchers.Go(func() {
			if err := f.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	go func() { fetchers.Wait(); close(out) }()
	shown := r.pass(out, show, idle)
	cancel(shown)
	for range out { // what the fetchers still hold is read again by whoever goes on
	}
	fetchers.Wait()
	if shown != nil {
		return shown
	}
	if r.done() {
		return nil
	}
	return context.Cause(ctx)
}

// pass shows what comes until out is closed.
func (r *reading) pass(out <-chan fetched, show func(*fetched) error, idle func() error) error {
	for {
		var f fetched
		var ok bool
		select {
		case f, ok = <-out:
		default:
			if err := idle(); err != nil {
				return err
			}
			f, ok = <-out
		}
		if !ok {
			return idle()
		}
		if err := show(&f); err != nil {
			return err
		}
		s := r.want[f.partition]
		s.from = f.next
		r.want[f.partition] = s
	}
}

func (r *reading) done() bool {
	for s := range maps.Values(r.want) {
		if !s.done() {
			return false
		}
	}
	return true
}

// held are the offsets that every partition holds now.
func (c *cluster) held(ctx context.Context, topic string, leaders map[int32]string) (map[int32]bounds, error) {
	starts, err := c.offsets(ctx, topic, leaders, timeEarliest)
	if err != nil {
		return nil, err
	}
	ends, err := c.offsets(ctx, topic, leaders, timeLatest)
	if err != nil {
		return nil, err
	}
	held := map[int32]bounds{}
	for p, start := range starts {
		held[p] = bounds{start, max(start, ends[p])}
	}
	return held, nil
}

// within moves an offset to the nearest one that the partition holds.
func (b bounds) within(o record.Offset) record.Offset { return min(max(o, b.start), b.end) }
