package commitlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// CompactStats is what one compaction did.
type CompactStats struct {
	Ran            bool          // false: there was nothing worth while
	From, To       record.Offset // whose keys made older records go
	Before, After  int64         // bytes of the segments that were looked at
	Records, Kept  int           // in them
	Segments, Left int           // before and after
}

// Compact keeps of each key the latest record, in the segments that are sealed,
// durable, wholly below the last stable offset and older than Config.CompactionLag;
// it never touches the active one. It runs when enough of them is new since the last
// time (DirtyRatio), or old (MaxCompactionLag). Offsets, sequences and codecs stay:
// what is taken away leaves gaps. A key's deletion (a record without a value), and
// the marker of a transaction of which nothing is left, stay DeleteRetention longer
// than the compaction that first meets them, so that no reader who is that slow
// misses them; the batch is marked with that time as Kafka marks it (KIP-534). Records without a key and those of aborted transactions go. Each
// producer's last batch stays, if need be without records, for its sequence.
//
// It takes turns with the rest of the log's work: appends, syncs and reads go on
// meanwhile, and it rests as long as it works. A crash at any moment leaves either
// the old segments or the new one. now is the wall clock.
func (l *Log) Compact(ctx context.Context, now time.Time) (CompactStats, error) {
	l.compacting.Lock()
	defer l.compacting.Unlock()
	var stats CompactStats
	cfg, err := l.config()
	if err != nil {
		return stats, nil
	}
	if err := l.resume(); err != nil {
		return stats, l.compactError(err)
	}
	if !cfg.Compact || l.compacting.stuck {
		return stats, nil // a failed log keeps what it has, a closed one is not ours
	}
	if lost, err := l.anyLost(); lost || err != nil {
		return stats, l.compactError(err)
	}
	if err := l.caughtUp(); err != nil {
		return stats, l.compactError(err)
	}
	sources, dirty := l.compactable(&cfg, now)
	if len(sources) == 0 {
		return stats, nil
	}
	if err := l.settled(sources[len(sources)-1].next); err != nil {
		return stats, l.compactError(err)
	}
	s := &sweep{log: l, ctx: ctx, cfg: cfg, now: now.UnixMilli(), stats: &stats}
	stats.Ran, stats.From = true, dirty
	err = s.run(sources, dirty)
	if errors.Is(err, errGone) {
		err = nil // retention or a deletion took a segment: there will be a next time
	}
	if _, bad := asDamage(err); bad || errors.Is(err, record.ErrFormat) || errors.Is(err, record.ErrShort) || errors.Is(err, record.ErrCodec) {
		l.compacting.stuck = true
		err = fmt.Errorf("%w; it is not tried again before the next start", err)
	}
	return stats, l.compactError(err)
}

// anyLost says whether offsets are lost or damaged: they must not look like those that were
// compacted away. The caller holds compacting.
func (l *Log) anyLost() (bool, error) {
	if !l.compacting.looked { // who tells of it may not have come here yet
		if err := l.Missing(func(Damage) {}); err != nil {
			return false, err
		}
		l.compacting.looked = true
	}
	return l.Hole(), nil
}

func (l *Log) compactError(err error) error {
	if err == nil || errors.Is(err, ErrClosed) {
		return nil
	}
	return fmt.Errorf("compacting %s: %w", l.name, err)
}

// source is a segment to compact, and the base of the one that follows it.
type source struct {
	*segment
	next record.Offset
}

// caughtUp lets readers into the active segment if they were told of everything
// before it, so that the one before it is not theirs to grow any more. While there is
// more to sync than that the Syncer does it.
func (l *Log) caughtUp() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.End() > l.HighWatermark() {
		return nil
	}
	if p, ok := l.takePending(); ok {
		_, err := l.commit(p) // what is taken must be done, nobody else will
		return err
	}
	return nil
}

// compactable is the segments to compact now, none when it is not worth while, and
// the offset from which on they are dirty: not compacted yet.
func (l *Log) compactable(cfg *Config, now time.Time) ([]source, record.Offset) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	stable, dirty := min(l.stableLocked(), l.mu.high), max(l.compacting.done, l.mu.start)
	late := false
	var sources []source
	var clean, fresh int64
	for n := 0; n+1 < len(l.mu.segments); n++ {
		s, next := l.mu.segments[n], l.mu.segments[n+1].base
		if next > stable || s.base >= l.mu.durable.segment.base {
			break
		}
		if next <= dirty {
			sources = append(sources, source{s, next})
			clean += s.size
			continue
		}
		if cfg.CompactionLag > 0 && now.Sub(s.lastWrite) < cfg.CompactionLag {
			break
		}
		sources = append(sources, source{s, next})
		fresh += s.size
		late = late || cfg.MaxCompactionLag > 0 && now.Sub(s.firstWrite) > cfg.MaxCompactionLag
	}
	if fresh == 0 || !late && float64(fresh)/float64(clean+fresh) <= cfg.DirtyRatio {
		return nil, 0
	}
	return sources, dirty
}

// settled makes sure that recovery begins at end or behind it and knows that offsets
// below may be missing: what a compaction takes away it would miss, and the sequences of batches that go must be known
// without them.
func (l *Log) settled(end record.Offset) error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if l.point.segment >= end && l.point.gaps >= end {
		return nil
	}
	l.stamps.allow(end) // before any offset is left out
	return l.checkpoint()
}

// ended is why a compaction must stop.
func (l *Log) ended(ctx context.Context) error {
	if l.ending.Load() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.Err()
}

// pace lets a compaction rest as long as it works, so that it takes half of one
// processor and half of the disk at most.
type pace struct {
	began time.Time
	bytes int
}

const (
	paceBytes = 1 << 20
	paceRest  = 50 * time.Millisecond // longest rest at a time; Close waits for it
)

// worked is told of each batch.
func (p *pace) worked(ctx context.Context, bytes int) {
	if p.began.IsZero() {
		p.began = time.Now()
	}
	if p.bytes += bytes; p.bytes < paceBytes {
		return
	}
	rest := time.NewTimer(min(time.Since(p.began), paceRest))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
	p.began, p.bytes = time.Now(), 0
}
