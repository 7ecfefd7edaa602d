package spool

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/line"
)

// ErrFull says that the bytes that may be kept of all files together are in use.
var ErrFull = follow.ErrFull

// segmentMost is how many bytes of a source one file takes: what is acknowledged makes
// room a file at a time.
const segmentMost = 16 << 20

// Config says where things are kept and how much.
type Config struct {
	// Dir is the spool's folder, made if missing (0700). Required.
	Dir string
	// Bytes bounds what is kept of all generations together. Default 1 GiB.
	Bytes int64
	// Disk is the file system. Default the real one.
	Disk disk.FS
	// Logger gets one line a trouble. Default: none.
	Logger *slog.Logger
}

// Key is one generation on its way to one topic.
type Key struct {
	Topic string
	ID    follow.ID
}

// name is that of the segment that begins at position at.
func (k Key) name(at line.Position) string {
	b := binary.BigEndian.AppendUint64([]byte(k.Topic), k.ID.FS)
	b = binary.BigEndian.AppendUint64(b, k.ID.Inode)
	b = binary.BigEndian.AppendUint64(b, uint64(k.ID.Birth))
	b = binary.BigEndian.AppendUint32(b, k.ID.Cut)
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%s-%020d%s", hex.EncodeToString(sum[:8]), at, suffix)
}

const suffix = ".spool"

// Store is the folder of all that is kept. It is safe for concurrent use; one process
// holds it at a time, which the lock on the agent's folder sees to.
type Store struct {
	cfg Config

	// A kept's mu is taken before this one, never inside it.
	mu struct {
		sync.Mutex
		kept map[Key]*kept
		used int64 // bytes of sources
	}
}

// Open reads what is kept in cfg.Dir. Torn ends are cut in thought and told; a file of
// which nothing can be read is told, left alone and counts for nothing.
func Open(cfg Config) (*Store, error) {
	if cfg.Bytes == 0 {
		cfg.Bytes = 1 << 30
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Disk = disk.Or(cfg.Disk)
	s := &Store{cfg: cfg}
	s.mu.kept = map[Key]*kept{}
	if err := cfg.Disk.Mkdir(cfg.Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("making the spool's folder: %w", err)
	}
	if err := cfg.Disk.SyncDir(filepath.Dir(cfg.Dir)); err != nil { // or a power cut takes the folder with all in it
		return nil, fmt.Errorf("making the spool's folder: %w", err)
	}
	entries, err := cfg.Disk.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading the spool's folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			s.learn(filepath.Join(cfg.Dir, e.Name()))
		}
	}
	for _, k := range s.mu.kept {
		slices.SortFunc(k.mu.segments, func(a, b *segment) int { return cmp.Compare(a.about.Start, b.about.Start) })
	}
	return s, nil
}

// learn takes over one segment from the disk.
func (s *Store) learn(path string) {
	seg, torn, err := scan(s.cfg.Disk, path)
	switch {
	case errors.Is(err, errBad):
		s.cfg.Logger.Error("a file of the spool cannot be read: what it kept is lost unless its source is there again", "file", path, "bytes", torn)
		return
	case err != nil:
		s.cfg.Logger.Error("a file of the spool cannot be read", "err", err)
		return
	case torn > 0:
		s.cfg.Logger.Warn("the torn end of a file of the spool does not count", "file", path, "bytes", torn, "path", seg.about.Path, "position", int64(seg.end))
	}
	key := Key{seg.about.Topic, seg.about.ID}
	k := s.mu.kept[key]
	if k == nil {
		k = &kept{st: s, key: key}
		s.mu.kept[key] = k
	}
	k.mu.segments = append(k.mu.segments, seg)
	s.mu.used += int64(seg.end - seg.about.Start)
}

// Keep writes data, the bytes of a generation from g.To on, behind what is kept of it
// and returns when they are on the disk; g says the size of the source too. It answers
// how much was kept, less than all with ErrFull.
func (s *Store) Keep(key Key, cp follow.Checkpoint, g follow.Kept, data []byte) (int, error) {
	for {
		s.mu.Lock()
		k := s.mu.kept[key]
		if k == nil {
			k = &kept{st: s, key: key}
			s.mu.kept[key] = k
		}
		s.mu.Unlock()
		if n, err := k.append(g, cp, data); !errors.Is(err, errLeft) {
			return n, err
		}
	}
}

// errLeft says that a kept was swept away just now.
var errLeft = errors.New("nothing is kept any more")

// Find answers what is kept of a generation; false: nothing.
func (s *Store) Find(key Key) (follow.Kept, bool) {
	s.mu.Lock()
	k := s.mu.kept[key]
	s.mu.Unlock()
	if k == nil {
		return follow.Kept{}, false
	}
	return k.what()
}

// ReadRange appends to dst the bytes [start, end) of a generation. It wraps
// follow.ErrGone when they are not kept.
func (s *Store) ReadRange(key Key, start, end line.Position, dst []byte) ([]byte, error) {
	s.mu.Lock()
	k := s.mu.kept[key]
	s.mu.Unlock()
	if k == nil || end < start {
		return dst, follow.ErrGone
	}
	from := len(dst)
	dst = append(dst, make([]byte, end-start)...)
	n, err := k.ReadAt(dst[from:], int64(start))
	if err == nil && n < int(end-start) {
		err = follow.ErrGone
	}
	if err != nil {
		return dst[:from], err
	}
	return dst, nil
}

// Sweep removes what is acknowledged: progress answers, of each generation, up to
// where that is, and whether nothing will be added to it any more.
func (s *Store) Sweep(progress func(Key) (acked line.Position, over bool)) error {
	var errs []error
	for _, k := range s.all() {
		acked, over := progress(k.key)
		errs = append(errs, k.trim(acked, over))
	}
	return errors.Join(errs...)
}

func (s *Store) all() []*kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.mu.kept))
}

// List says of which generations something is kept, and when it was last added to.
func (s *Store) List() map[Key]time.Time {
	out := map[Key]time.Time{}
	for _, k := range s.all() {
		k.mu.Lock()
		if last := k.last(); last != nil {
			if st, err := s.cfg.Disk.Stat(last.path); err == nil {
				out[k.key] = st.ModTime()
			}
		}
		k.mu.Unlock()
	}
	return out
}

// Bytes is how many bytes of sources are kept.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.used
}

// Close lets go of all files.
func (s *Store) Close() error {
	for _, k := range s.all() {
		k.Close()
	}
	return nil
}

// take asks for room for n bytes and answers how much there is.
func (s *Store) take(n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = max(min(n, s.cfg.Bytes-s.mu.used), 0)
	s.mu.used += n
	return n
}

func (s *Store) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.used -= n
}
