package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/internal/disk"
)

// Config says where a journal lies and how far it may grow.
type Config struct {
	// Dir is the journal's folder, made if missing (0700).
	Dir string
	// CompactBytes is how far the file grows beyond its snapshot before it is
	// written anew, in bytes. Default 4 MiB.
	CompactBytes int64
	// SyncEvery is how often what was written is fsynced; only a power cut can
	// lose what is younger. Default 500 ms.
	SyncEvery time.Duration
	// Keep is how long a generation is remembered after it was last seen, once it
	// is acknowledged and ended or gone. Default 30 days.
	Keep time.Duration
	// Host is whose journal it is: one that was begun under another name is a copy.
	Host string
	// Synced is told of each fsync how long it took. It must not block. Default: nobody.
	Synced func(took time.Duration)
	// Disk is where the folder lies. Default: the real one.
	Disk disk.FS
	// Logger gets one line a trouble. Default: none.
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time

	boot  string                  // instead of the kernel's word; tests start machines anew
	place func(dir string) string // instead of the file system's word
}

func (c Config) withDefaults() Config {
	if c.CompactBytes <= 0 {
		c.CompactBytes = 4 << 20
	}
	if c.SyncEvery <= 0 {
		c.SyncEvery = 500 * time.Millisecond
	}
	if c.Keep <= 0 {
		c.Keep = 30 * 24 * time.Hour
	}
	c.Disk = disk.Or(c.Disk)
	if c.boot == "" {
		c.boot = bootID()
	}
	if c.place == nil {
		c.place = follow.Place
	}
	if c.Synced == nil {
		c.Synced = func(time.Duration) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Journal is the agent's memory. It is safe for concurrent use; one process holds
// it at a time, which the lock on the agent's folder sees to.
type Journal struct {
	cfg     Config
	syncing chan struct{} // holds one token; who has it syncs, and is taken before mu

	// mu orders what is written with what is known, so that both agree.
	mu struct {
		sync.Mutex
		state
		file    disk.File
		number  int    // of the file
		size    int64  // bytes of whole frames in it
		base    int64  // size just after its snapshot
		dirty   bool   // written since the last fsync
		suspect bool   // an fsync has failed: what the file holds after a power cut is not known
		pending []byte // frames that a full disk did not take: facts, not intents
		closed  bool
		opened  time.Time
		day     int32  // that counted when it was opened
		why     string // this process was told to doubt the journal; "": it was not
		scratch []byte
	}
}

// ErrClosed is what a closed journal answers.
var ErrClosed = errors.New("the journal is closed")

// Run fsyncs in the background and keeps the file short, until ctx ends.
func (j *Journal) Run(ctx context.Context) error {
	tick := time.NewTicker(j.cfg.SyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := j.Sync(); err != nil {
			j.cfg.Logger.Error("the journal could not be synced; it goes on, and a power cut now may cost doubles", "err", err)
		}
		if err := j.compactIfLong(); err != nil {
			j.cfg.Logger.Warn("the journal could not be shortened; it goes on growing until there is room", "err", err)
		}
	}
}

// Sync makes everything written so far survive a power cut.
func (j *Journal) Sync() error {
	// One at a time: what another one is syncing is not on the disk before that is done.
	<-j.syncing
	defer func() { j.syncing <- struct{}{} }()
	j.mu.Lock()
	flushErr := j.flushPending()
	file, number, dirty := j.mu.file, j.mu.number, j.mu.dirty
	j.mu.dirty = false
	if j.mu.suspect && !j.mu.closed {
		defer j.mu.Unlock()
		return j.renew()
	}
	closed := j.mu.closed
	j.mu.Unlock()
	if closed || !dirty {
		return flushErr
	}
	// Outside the lock: a batch may begin while the disk works. The file may be
	// replaced meanwhile, and then its successor was fsynced as a whole.
	began := time.Now()
	err := file.Sync()
	j.cfg.Synced(time.Since(began))
	if err != nil && !errors.Is(err, os.ErrClosed) {
		j.mu.Lock()
		defer j.mu.Unlock()
		// The system may have dropped what it could not write, and a second fsync
		// would know nothing of it: all is written anew, from memory, which holds.
		j.mu.suspect = j.mu.suspect || number == j.mu.number
		return fmt.Errorf("syncing the journal in %s: %w", j.cfg.Dir, err)
	}
	return flushErr
}

// renew writes the journal to another file, since what this one holds is not known;
// mu is held.
func (j *Journal) renew() error {
	if err := j.compact(); err != nil {
		return fmt.Errorf("writing the journal in %s anew after an fsync failed: %w", j.cfg.Dir, err)
	}
	return nil
}

// Close syncs and closes the file.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.closed {
		return nil
	}
	j.mu.closed = true
	return errors.Join(err, j.mu.file.Close())
}

// write puts frames at the end of the file with one write(2), which is all that
// kill -9 needs. When it fails nothing counts as written: the next write goes to
// the same place, and a reader sees a torn end.
func (j *Journal) write(frames []byte) error {
	if j.mu.closed {
		return ErrClosed
	}
	if err := j.flushPending(); err != nil {
		return err
	}
	if _, err := j.mu.file.WriteAt(frames, j.mu.size); err != nil {
		return fmt.Errorf("writing to the journal %s: %w", j.path(j.mu.number), err)
	}
	j.mu.size += int64(len(frames))
	j.mu.dirty = true
	return nil
}

// flushPending writes the facts that had no room before.
func (j *Journal) flushPending() error {
	if len(j.mu.pending) == 0 || j.mu.closed {
		return nil
	}
	if _, err := j.mu.file.WriteAt(j.mu.pending, j.mu.size); err != nil {
		return fmt.Errorf("writing to the journal %s: %w", j.path(j.mu.number), err)
	}
	j.mu.size += int64(len(j.mu.pending))
	j.mu.pending, j.mu.dirty = nil, true
	return nil
}

// fact writes frames that say what has happened. It cannot be refused: what finds
// no room waits in memory, and nothing new begins before it is written.
func (j *Journal) fact(frames []byte) {
	if err := j.write(frames); err != nil && !j.mu.closed {
		j.mu.pending = append(j.mu.pending, frames...)
	}
}
