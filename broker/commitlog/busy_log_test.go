package commitlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// Appends, transactions, readers, compaction, retention and deletions at the same
// time: nobody gets an error, nobody sees an aborted record or a wrong one.
func TestEverythingAtOnce(t *testing.T) {
	syncer, stop := runSyncer(t)
	l := openWith(t, logDir(t), Config{Compact: true, SegmentBytes: 2000, IndexInterval: 200, DeleteRetention: time.Hour}, syncer)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for id := range int64(2) {
		wg.Go(func() { readCommittedForEver(ctx, t, l, uint64(id)) })
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := l.Compact(ctx, time.Now()); err != nil && ctx.Err() == nil {
				t.Errorf("compacting: %v", err)
			}
			if err := l.Retain(time.Now()); err != nil {
				t.Errorf("retaining: %v", err)
			}
			if err := l.DeleteBefore(max(l.HighWatermark()-400, 0)); err != nil {
				t.Errorf("deleting: %v", err)
			}
		}
	})
	sequence := int32(0)
	for i := range 600 {
		commit := i%3 != 0
		value := "committed"
		if !commit {
			value = "aborted"
		}
		for range 2 {
			b := keyed(t, record.Producer{ID: 7, Sequence: sequence}, record.None, fmt.Sprintf("k%d=%s", i%7, value))
			record.SetTransactional(b)
			appendTo(t, l, b)
			sequence++
		}
		a := endTxn(t, l, 7, commit)
		if err := l.WaitDurable(ctx, a.Last); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	closeLog(t, l)
	stop()
}

// readCommittedForEver reads as Fetch does: first the batches, then what of them was
// aborted.
func readCommittedForEver(ctx context.Context, t *testing.T, l *Log, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 4))
	var r record.Reader
	for ctx.Err() == nil {
		from := l.Start() + record.Offset(rng.Int64N(int64(l.End()-l.Start()+1)))
		span, err := l.ReadCommitted(from, 1000)
		if errors.Is(err, ErrOffsetOutOfRange) {
			continue // deleted meanwhile
		}
		if err != nil {
			t.Errorf("reading: %v", err)
			return
		}
		b, err := span.AppendTo(nil)
		span.Release()
		if err != nil {
			t.Errorf("reading: %v", err)
			return
		}
		aborted, err := l.Aborted(from, l.LastStable())
		if err != nil {
			t.Errorf("aborted transactions: %v", err)
			return
		}
		if l.Start() > from {
			continue // deleted meanwhile
		}
		for len(b) > 0 {
			h, err := record.ParseHeader(b)
			if err != nil || !record.CheckCRC(b[:h.Size()]) {
				t.Errorf("unsound batch %+v, %v", h, err)
				return
			}
			_ = r.Read(b[:h.Size()], 1<<20, func(rec *record.Record) error {
				hidden := h.Control() || rec.Offset < from
				for _, a := range aborted {
					hidden = hidden || a.First <= rec.Offset && rec.Offset <= a.Last
				}
				if !hidden && string(rec.Value) != "committed" {
					t.Errorf("offset %d, read from %d: %q is handed out as committed", rec.Offset, from, rec.Value)
				}
				return nil
			})
			b = b[h.Size():]
		}
	}
}
