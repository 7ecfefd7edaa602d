package topics

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// ScrubConfig steers the slow reading of everything that is stored, which finds damage before somebody needs the records.
type ScrubConfig struct {
	// Every is the time from the beginning of one reading to the next [7 days; negative: none].
	Every time.Duration
	// Rate is how many bytes are read a second [4 MiB, or more where half of Every would not do for all].
	Rate int64
	// Delay is the time after the start in which nothing is read [10 s].
	Delay time.Duration
	// Scrubbed is told of bytes that were read; nil: nobody.
	Scrubbed func(bytes int64)
	// Damaged is told of each damage that was found, and the Logger too; nil: nobody else.
	Damaged func(commitlog.Damage)
}

const (
	scrubEvery = 7 * 24 * time.Hour
	scrubRate  = 4 << 20
	scrubDelay = 10 * time.Second
	scrubPause = 256 << 10 // bytes between two pauses

	recheckRate = 64 << 20 // bytes a second, of what was damaged before: its readers wait
)

// scrubFile says how far the reading has come, so that a restart does not begin it anew. It is not synced: without it,
// or with half of it, all is read once more.
const scrubFile = "scrub-progress.json"

// progress is its content.
type progress struct {
	Version   int           `json:"version"`
	Began     time.Time     `json:"began"`
	Done      bool          `json:"done"` // all of it was read
	Topic     string        `json:"topic,omitempty"`
	Partition int32         `json:"partition,omitempty"`
	Offset    record.Offset `json:"offset,omitempty"` // where to go on in that log
}

// scrub reads all logs, one after the other, again and again, until ctx ends.
func (t *Topics) scrub(ctx context.Context) {
	cfg := t.cfg.Scrub
	t.lookForMissing(ctx)
	if cfg.Every < 0 {
		return
	}
	if cfg.Every == 0 {
		cfg.Every = scrubEvery
	}
	if cfg.Delay == 0 {
		cfg.Delay = scrubDelay
	}
	if sleep(ctx, cfg.Delay) != nil {
		return
	}
	for {
		p := t.readProgress()
		if wait := time.Until(p.Began.Add(cfg.Every)); p.Done && wait > 0 {
			if sleep(ctx, min(wait, cfg.Every)) != nil { // a clock that went back does not stop it for years
				return
			}
		}
		if p.Done || p.Began.IsZero() || p.Began.After(time.Now()) {
			p = progress{Version: 1, Began: time.Now()}
		}
		if t.scrubAll(ctx, cfg, p) != nil {
			return
		}
	}
}

// lookForMissing says at once which files are lost between others, or cut short, and reads again what was damaged before:
// a copy may have been put back.
func (t *Topics) lookForMissing(ctx context.Context) {
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			if ctx.Err() != nil {
				return
			}
			err := p.Log.Missing(t.Damaged)
			if err == nil {
				err = p.Log.Recheck(ctx, (&pace{rate: recheckRate}).wait, t.Damaged)
			}
			if err != nil && ctx.Err() == nil && !errors.Is(err, commitlog.ErrClosed) {
				t.log.Error("looking for missing files", "partition", p.Log.Name(), "error", err)
			}
		}
	}
}

// Damaged tells of damage that was found in a log, once for each.
func (t *Topics) Damaged(d commitlog.Damage) {
	if _, again := t.told.LoadOrStore(d, true); again {
		return
	}
	if !d.Said {
		t.log.Error(d.String())
	}
	if t.cfg.Scrub.Damaged != nil {
		t.cfg.Scrub.Damaged(d)
	}
}

// scrubAll reads what is left of one reading; an error: ctx has ended.
func (t *Topics) scrubAll(ctx context.Context, cfg ScrubConfig, p progress) error {
	pace := &pace{rate: t.scrubRate(cfg), scrubbed: cfg.Scrubbed}
	from := p
	for _, topic := range t.List() {
		if topic.Name < from.Topic {
			continue
		}
		for _, partition := range topic.Partitions() {
			p.Topic, p.Partition, p.Offset = topic.Name, partition.Index, 0
			if topic.Name == from.Topic {
				if partition.Index < from.Partition {
					continue
				}
				if partition.Index == from.Partition {
					p.Offset = from.Offset
				}
			}
			if err := t.scrubLog(ctx, partition.Log, pace, &p); err != nil {
				return err
			}
		}
	}
	p.Done, p.Topic, p.Partition, p.Offset = true, "", 0, 0
	t.writeProgress(p)
	return ctx.Err()
}

// scrubLog reads one log from p.Offset on.
func (t *Topics) scrubLog(ctx context.Context, log *commitlog.Log, pace *pace, p *progress) error {
	for more := true; more; {
		var err error
		p.Offset, more, err = log.Scrub(ctx, p.Offset, pace.wait, t.Damaged)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // another log may be read all the same
			if !errors.Is(err, commitlog.ErrClosed) {
				t.log.Error("scrubbing a log", "partition", log.Name(), "error", err)
			}
			return nil
		}
		if more {
			t.writeProgress(*p)
		}
	}
	return nil
}

// scrubRate is what is read a second.
func (t *Topics) scrubRate(cfg ScrubConfig) int64 {
	if cfg.Rate > 0 {
		return cfg.Rate
	}
	var all int64
	for _, topic := range t.List() {
		for _, p := range topic.Partitions() {
			for _, s := range p.Log.Segments() {
				all += s.Size
			}
		}
	}
	return max(scrubRate, all/max(1, int64(cfg.Every.Seconds()/2)))
}

// pace keeps the reading slow.
type pace struct {
	rate     int64
	scrubbed func(int64)
	debt     int64
}

// wait is called after so many bytes.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.debt += int64(n); p.debt < scrubPause {
		return ctx.Err()
	}
	if p.scrubbed != nil {
		p.scrubbed(p.debt)
	}
	d := time.Duration(float64(p.debt) / float64(p.rate) * float64(time.Second))
	p.debt = 0
	return sleep(ctx, d)
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readProgress reads the file; whatever is wrong with it costs one reading.
func (t *Topics) readProgress() progress {
	var p progress
	data, err := disk.ReadFile(t.cfg.Disk, filepath.Join(t.cfg.Dir, scrubFile))
	if err != nil || json.Unmarshal(data, &p) != nil || p.Version != 1 {
		return progress{}
	}
	return p
}

// writeProgress writes it. On a full disk the place is not kept.
func (t *Topics) writeProgress(p progress) {
	data, err := json.Marshal(p)
	if err != nil {
		return
	}
	path := filepath.Join(t.cfg.Dir, scrubFile)
	f, err := t.cfg.Disk.Open(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return
	}
	_, err = f.WriteAt(data, 0)
	if err = errors.Join(err, f.Close()); err == nil {
		err = t.cfg.Disk.Rename(path+".tmp", path)
	}
	if err != nil {
		_ = t.cfg.Disk.Remove(path + ".tmp")
	}
}
