package agent

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
)

// Discard reads files to their ends, frames their lines as the input says, gathers them in
// sealed batches and throws those away. It answers how many records there were, and is there
// to measure what reading costs before anything is journaled or sent. Each file has a
// goroutine of its own, as each partition has one in an agent.
func Discard(ctx context.Context, host string, in etcdconf.Input, paths []string) (records int64, err error) {
	framer, err := batch.NewFramer(host, in)
	if err != nil {
		return 0, err
	}
	counts := make([]int64, len(paths))
	group, ctx := errgroup.WithContext(ctx)
	for i, path := range paths {
		group.Go(func() error { return discardFile(ctx, framer, in, path, &counts[i]) })
	}
	err = group.Wait()
	for _, n := range counts {
		records += n
	}
	return records, err
}

// discardFile is the way of one file: what a lane does, but for the journal and the sending.
func discardFile(ctx context.Context, framer *batch.Framer, in etcdconf.Input, path string, records *int64) error {
	s := follow.New(follow.Config{Path: path, MaxLine: int(in.MaxLineBytes), LongLines: in.LongLines})
	defer s.Close()
	s.Finish()
	buf, b, sealed := make([]byte, readLarge), batch.New(readLarge), []byte(nil)
	var src *batch.Source
	var id follow.ID
	flush := func() (err error) {
		*records += int64(b.Count())
		if !b.Empty() {
			sealed, err = b.Trade(sealed, record.Producer{ID: 1}, time.Now())
		}
		b.Reset()
		return err
	}
	for ctx.Err() == nil {
		c, err := s.Next(buf)
		switch {
		case errors.Is(err, follow.ErrIdle):
			return flush()
		case errors.Is(err, follow.ErrBuffer):
			buf = make([]byte, follow.BufferSize(int(in.MaxLineBytes)))
			continue
		case err != nil:
			return err
		}
		if src == nil || id != c.ID {
			id = c.ID
			src = framer.Source(1, c.Generation, c.Path, c.Start, 0)
		}
		for first := true; first || len(c.Data) > 0; first = false {
			n := b.Add(src, c)
			if c = batch.Rest(c, n); len(c.Data) > 0 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return ctx.Err()
}
