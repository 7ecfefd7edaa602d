package commitlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/record"
)

// The power goes while several logs are appended to, synced together, rolled, trimmed and given recovery points, all at
// the same time: what counted as durable is there, and no recovery point vouches for a byte that is not. A start that
// checks nothing again before the point reads all of it, and finds no zeros where batches were.
func TestACutUnderLoadLeavesNoHoleBehindAPoint(t *testing.T) {
	for seed := range seeds(t, 6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			cutUnderLoad(t, seed)
		})
	}
}

// loaded is a log that is written to until the cut, and how much of it counted as durable shortly before.
type loaded struct {
	log  *Log
	high atomic.Int64
}

func cutUnderLoad(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 12))
	root, fsys := filepath.Dir(logDir(t)), crashdisk.New()
	cfg := SyncerConfig{Behind: int64(1 + rng.IntN(60_000))}
	if rng.IntN(2) == 0 {
		cfg.Whole = fsys
	}
	s := NewSyncer(cfg)
	running, stop := context.WithCancel(t.Context())
	life, end := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = s.Run(running) })
	var logs [4]loaded
	var appended atomic.Int64
	cutAt, reached := int64(20+rng.IntN(800)), make(chan struct{})
	for i := range logs {
		l := &logs[i]
		l.log = openWith(t, filepath.Join(root, fmt.Sprintf("web_log-%d", i)), Config{SegmentBytes: int64(2000 + rng.IntN(30_000)), IndexInterval: 300, Disk: fsys}, s)
		tasks.Go(func() {
			err := l.fill(life, t, rand.New(rand.NewPCG(seed, uint64(i))), func() {
				if appended.Add(1) == cutAt {
					close(reached)
				}
			})
			if err != nil && life.Err() == nil {
				t.Error(err)
			}
		})
		tasks.Go(func() { l.disturb(life, rand.New(rand.NewPCG(seed, 100+uint64(i)))) })
	}
	<-reached
	var high [len(logs)]record.Offset
	for i := range logs {
		high[i] = record.Offset(logs[i].high.Load())
	}
	cut := powerCut(t, fsys, rng, root)
	end()
	for i := range logs {
		logs[i].log.Abandon()
	}
	stop()
	tasks.Wait()
	for i := range logs {
		wantWhole(t, filepath.Join(cut, fmt.Sprintf("web_log-%d", i)), high[i])
	}
}

// fill appends until ctx ends, and waits for the disk now and then.
func (l *loaded) fill(ctx context.Context, t *testing.T, rng *rand.Rand, appended func()) error {
	for n := 0; ctx.Err() == nil; n++ {
		a, err := l.log.Append(batchOf(t, record.NoProducer, 1000, fmt.Sprintf("%d %s", n, strings.Repeat("v", rng.IntN(900)))))
		if err == nil && rng.IntN(3) == 0 {
			err = l.log.WaitDurable(ctx, a.Last)
		}
		if err != nil {
			return err
		}
		l.high.Store(int64(l.log.HighWatermark()))
		appended()
	}
	return nil
}

// disturb writes recovery points, rolls and trims whenever the high watermark has risen.
func (l *loaded) disturb(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		high := l.log.HighWatermark()
		switch rng.IntN(8) {
		case 0:
			l.log.writePoint()
		case 1:
			_ = l.log.Seal()
		case 2:
			_ = l.log.DeleteBefore(high / 2)
		}
		if l.log.WaitDurable(ctx, high) != nil {
			return
		}
	}
}

// wantWhole opens what the cut left, looks at nothing again that a recovery point vouches for, and reads all of it.
func wantWhole(t *testing.T, dir string, high record.Offset) {
	t.Helper()
	l, err := Open(dir, Config{Disk: unsyncedDisk{}, RecheckBytes: 1, Cut: func(c Cut) {
		if c.Offset < high {
			t.Errorf("%s, and %d was durable", c, high)
		}
	}}, nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer l.Abandon()
	if l.End() < high {
		t.Errorf("%s ends at %d, and %d was durable", l.Name(), l.End(), high)
	}
	values, err := valuesFrom(l, l.Start(), 5000)
	if err != nil {
		t.Errorf("reading %s from %d: %v", l.Name(), l.Start(), err)
	}
	for i, v := range values {
		if want := fmt.Sprintf("%d ", int(l.Start())+i); !strings.HasPrefix(v, want) {
			t.Fatalf("offset %d of %s is %.20q", int(l.Start())+i, l.Name(), v)
		}
	}
	if n := int(l.End() - l.Start()); len(values) != n {
		t.Errorf("%d values of %s, want %d", len(values), l.Name(), n)
	}
}
