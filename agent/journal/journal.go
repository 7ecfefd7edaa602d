package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
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
	// Logger gets one line a trouble. Default: none.
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
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
	cfg  Config
	wrap func(*os.File) storage // how a test makes the disk fail

	// mu orders what is written with what is known, so that both agree.
	mu struct {
		sync.Mutex
		state
		file    storage
		number  int    // of the file
		size    int64  // bytes of whole frames in it
		base    int64  // size just after its snapshot
		dirty   bool   // written since the last fsync
		pending []byte // frames that a full disk did not take: facts, not intents
		closed  bool
		doubt   string // why the end may be missing; "": it is whole
		scratch []byte
	}
}

// storage is what the journal asks of its file: an *os.File, or one that fails on
// request.
type storage interface {
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
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
	j.mu.Lock()
	file, dirty := j.mu.file, j.mu.dirty
	flushErr := j.flushPending()
	j.mu.dirty = false
	closed := j.mu.closed
	j.mu.Unlock()
	if closed || !dirty {
		return flushErr
	}
	// Outside the lock: a batch may begin while the disk works. The file may be
	// replaced meanwhile, and then its successor was fsynced as a whole.
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		j.mu.Lock()
		j.mu.dirty = true
		j.mu.Unlock()
		return fmt.Errorf("syncing the journal in %s: %w", j.cfg.Dir, err)
	}
	return flushErr
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
