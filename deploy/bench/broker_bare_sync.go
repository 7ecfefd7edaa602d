package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"golang.org/x/sync/errgroup"
)

// bareSync is the least that a broker could do for records to be seen that are on the disk: one goroutine writes the
// batches to a file at the same rate, another syncs it again and again. What its times are is what the disk gives.
type bareSync struct {
	file    disk.File
	batch   []byte
	written atomic.Int64
	wake    chan struct{} // room for one: something was written; closed by the writer
	sent    []time.Time   // when each batch was written; the syncs read those below written
	late    []time.Duration
}

// measureBareSync writes marked batches at seenRate for a while, and gathers how late each was on the disk, of those written
// after from.
func measureBareSync(ctx context.Context, path string, batch []byte, at int, d time.Duration, from time.Time) (*float64, error) {
	f, err := disk.Real{}.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting the bare sync: %w", err)
	}
	defer func() {
		f.Close()
		os.Remove(path)
		settleDisk()
	}()
	most := int(seenRate*d.Seconds())/len(batch) + 2
	s := &bareSync{file: f, batch: batch, wake: make(chan struct{}, 1), sent: make([]time.Time, most)}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.write(paced(gctx, d, len(batch), at)) })
	group.Go(func() error { return s.sync(from) })
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("writing and syncing %s: %w", path, err)
	}
	if len(s.late) == 0 {
		return nil, errors.New("the bare sync was stopped in its warm-up")
	}
	return percentile(s.late, 0.99), nil
}

// write writes one batch behind the other while more says so.
func (s *bareSync) write(more func([]byte) bool) error {
	defer close(s.wake)
	for n := int64(0); more(s.batch) && int(n) < len(s.sent); n++ {
		s.sent[n] = time.Now()
		if _, err := s.file.WriteAt(s.batch, n*int64(len(s.batch))); err != nil {
			return err
		}
		s.written.Store(n + 1)
		select {
		case s.wake <- struct{}{}:
		default: // it knows
		}
	}
	return nil
}

// sync syncs what was written until no more comes.
func (s *bareSync) sync(from time.Time) error {
	seen := int64(0)
	for range s.wake {
		for to := s.written.Load(); seen < to; to = s.written.Load() {
			if err := s.file.Sync(); err != nil {
				return err
			}
			now := time.Now()
			for ; seen < to; seen++ {
				if s.sent[seen].After(from) {
					s.late = append(s.late, now.Sub(s.sent[seen]))
				}
			}
		}
	}
	return nil
}
