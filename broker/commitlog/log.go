package commitlog

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// Log is one partition: segments of record batches, one writer at a time and any
// number of readers. All methods are safe for concurrent use.
type Log struct {
	dir       string
	name      string // the folder's own name, web_log-0
	fs        disk.FS
	syncer    *Syncer // nil: every append is synced before it returns
	rechecked int64   // bytes that Open read again
	unclean   bool    // it had not been closed before Open
	epoch     int32
	stamps    stamps
	sums      abortedSums
	damages   damages
	gaveOut   record.Offset // Open cut off offsets below it that were given out; only while opening
	lostFirst bool          // Open or GoOn found records lost from the log's beginning; only while nobody uses the log
	begun     bool          // Open found nothing of the log, neither records nor a recovery point
	shortened bool          // Open found fewer offsets than had been given out, and went on behind those
	whole     bool          // the log lies on the Syncer's WholeDisk
	eased     atomic.Bool   // it rests before its next sync, as nobody waits

	// Guarded by Syncer.mu.
	turn   turn      // where the log stands in its queue
	marks  int       // appends since its last sync began
	others int       // of them, those from before that sync released anybody
	want   int       // so many marks are all that can be expected
	until  time.Time // and they are waited for until then

	// compacting is held by whoever compacts or closes; taken before keeping.
	compacting struct {
		sync.Mutex
		done   record.Offset // below it lies the latest record of each key alone
		stuck  bool          // the last one could not be finished, and no other may begin
		looked bool          // for files that are lost between others
		half   []halfSwap    // segments that serve and have not got their own name yet; guarded by keeping too
	}
	ending atomic.Bool // a compaction gives way to Close

	// rebuilding is held by who makes the index of aborted transactions anew; taken
	// before appending.
	rebuilding sync.Mutex
	rebuilt    atomic.Int64 // how often that was done

	// keeping is held by whoever writes a recovery point, deletes, swaps or closes; taken
	// before syncing. Syncs go on meanwhile: who waits for the disk waits for none of that.
	keeping sync.Mutex
	point   checkpoint // the last one written; guarded by keeping
	gone    []Deletion // that nobody has been told of; guarded by keeping
	leases  []*handle  // of files that were unlinked, let go of once keeping is; guarded by keeping

	// syncing is held by whoever makes batches durable, one at a time, because a disk
	// tells of a failed write once; taken before appending.
	syncing sync.Mutex
	warned  time.Time  // that a sync could not open its file; guarded by syncing
	naming  sync.Mutex // held while the folder's names are synced, and the log fails if they were not

	// appending is held by the one who writes; taken before mu.
	appending struct {
		sync.Mutex
		end       record.Offset // next offset
		active    *segment
		producers producers
		epochs    epochs
		entered   bool // the log's own epoch is written down
		ahead     ahead
	}

	// mu is what readers see, held for a few instructions.
	mu struct {
		sync.RWMutex
		cfg      Config
		segments []*segment // ascending; replaced, not changed, except that the last grows
		start    record.Offset
		end      record.Offset
		durable  place // how far readers may go
		high     record.Offset
		txns     txns
		sealed   []*segment // rolled since the last sync began
		renamed  bool       // the folder has names that are not durable yet
		since    int64      // bytes appended since the last checkpoint
		due      bool       // a checkpoint is wanted whatever since says
		err      error      // ErrClosed or a fatal *StorageError
		waves    waves
		watchers map[int]func()
		watched  time.Time // when the last watcher left
		nextID   int
	}
}

// place is a position in a segment, at the edge of a batch.
type place struct {
	segment  *segment
	position int64
}

// Appended is where a batch lies. A duplicate's answer must wait for WaitDurable
// like any other: the first attempt may not be on the disk yet.
type Appended struct {
	Base      record.Offset // offset of the first record
	Last      record.Offset // offset of the last
	Duplicate bool          // the batch was there already, at these offsets; nothing was written
}

// Append puts one whole batch at the log's end and marks the log for the next
// group commit. The caller has checked its shape and CRC. Base offset and leader
// epoch are written into batch in place; the bytes are the caller's again on
// return. It refuses with ErrOutOfOrderSequence, ErrInvalidProducerEpoch,
// ErrInvalidTxnState, ErrTooLarge, ErrClosed, or a *StorageError: when that is not ErrFailed the log
// stands as before and the same batch may be sent again.
func (l *Log) Append(batch []byte) (Appended, error) {
	h, err := record.ParseHeader(batch)
	if err == nil && (h.Size() != len(batch) || h.LastOffsetDelta < 0) {
		err = fmt.Errorf("batch of %d bytes says %d, and last offset delta %d: %w", len(batch), h.Size(), h.LastOffsetDelta, record.ErrFormat)
	}
	if err != nil {
		return Appended{}, fmt.Errorf("appending to %s: %w", l.name, err)
	}
	a, err := l.append(batch, h)
	if err != nil {
		return a, fmt.Errorf("appending to %s: %w", l.name, err)
	}
	if a.Duplicate {
		return a, nil
	}
	if l.syncer != nil {
		l.syncer.mark(l)
		return a, nil
	}
	l.sync()
	return a, l.Err()
}

func (l *Log) append(batch []byte, h record.Header) (Appended, error) {
	l.appending.Lock()
	defer l.appending.Unlock()
	ap := &l.appending
	cfg, err := l.config()
	if err != nil {
		return Appended{}, err
	}
	var m *Marker
	if h.Control() {
		if read, ok := parseMarker(h, batch); ok {
			m = &read
		}
	}
	dup, err := ap.producers.check(h, m, ap.end)
	if err != nil {
		return Appended{}, err
	}
	if dup != nil {
		return Appended{dup.base, dup.base + record.Offset(h.LastOffsetDelta), true}, nil
	}
	if err := l.enterEpoch(); err != nil {
		return Appended{}, err
	}
	h.BaseOffset = ap.end
	if ap.active.full(&cfg, len(batch), h.LastOffset(), cfg.Now()) {
		if err := l.roll(); err != nil {
			return Appended{}, err
		}
	}
	record.Stamp(batch, h.BaseOffset, l.epoch)
	if err := l.write(batch, h, m, &cfg); err != nil {
		return Appended{}, err
	}
	return Appended{Base: h.BaseOffset, Last: h.LastOffset()}, nil
}

// config is the settings while the log takes appends.
func (l *Log) config() (Config, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.cfg, l.mu.err
}

// write puts the batch into the active segment and lets readers know of it. The
// caller holds appending.
func (l *Log) write(batch []byte, h record.Header, m *Marker, cfg *Config) error {
	s := l.appending.active
	if s.size+int64(len(batch)) > 1<<31-1 {
		return ErrTooLarge // an index entry has 31 bits for a position
	}
	f, err := s.acquire()
	if err != nil {
		return &StorageError{Op: "opening", Path: s.path(logSuffix), Position: s.size, Err: err}
	}
	defer f.release()
	l.layAhead(s, f.File, len(batch), cfg)
	pos := s.size
	if _, err := f.WriteAt(batch, pos); err != nil {
		return l.takeBack(f, s, pos, err)
	}
	now := cfg.Now()
	change := l.appending.producers.add(h, m, now.UnixMilli(), cfg.MaxProducers)
	if change.ended && change.aborted {
		l.noteAborted(s, h, change.first) // before a reader can pass the marker
	}
	l.mu.Lock()
	switch {
	case change.began:
		l.mu.txns.begin(h.ProducerID, h.BaseOffset)
	case change.ended:
		l.mu.txns.end(h.ProducerID, h.LastOffset())
	}
	s.see(h)
	s.size += int64(len(batch))
	s.lastWrite = now
	if pos == 0 {
		s.firstWrite = now
	}
	l.mu.end = h.NextOffset()
	l.mu.since += int64(len(batch))
	l.mu.Unlock()
	s.note(h, pos, cfg.IndexInterval)
	l.appending.end = h.NextOffset()
	return nil
}

// takeBack cuts off what a failed write left behind the last whole batch, so that
// the log can go on when there is room again. Only when that fails too is the
// log lost: then what lies behind the end is not known.
func (l *Log) takeBack(f disk.File, s *segment, pos int64, cause error) error {
	path := s.path(logSuffix)
	l.appending.ahead.to = min(l.appending.ahead.to, pos) // what was laid out behind it goes too
	if err := f.Truncate(pos); err != nil {
		return l.fail(&StorageError{Op: "taking back a failed write to", Path: path, Position: pos, Err: errors.Join(err, cause), Fatal: true})
	}
	return &StorageError{Op: "writing", Path: path, Position: pos, Err: cause}
}

// roll seals the active segment and begins the next one at the log's end. The
// caller holds appending.
func (l *Log) roll() error {
	old, base := l.appending.active, l.appending.end
	next, err := createSegment(l.fs, l.dir, base, &l.stamps)
	if err != nil {
		return err
	}
	l.letGoAhead(old)
	old.noteTime() // the last entry of a sealed segment says its latest time
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.segments = append(slices.Clip(l.mu.segments), next)
	l.mu.sealed = append(l.mu.sealed, old)
	l.mu.renamed, l.mu.due = true, true
	l.appending.active = next
	return nil
}

// fail ends the log for good; a failed sync is never tried again, because the
// kernel may have dropped the pages that it could not write.
func (l *Log) fail(cause *StorageError) error {
	l.mu.Lock()
	logger, first := l.mu.cfg.Logger, l.mu.err == nil
	if first {
		l.mu.err = cause
	}
	l.mu.Unlock()
	if first {
		logger.Error("log failed", "log", l.name, "error", cause)
		l.wake()
	}
	return cause
}

// Err is why the log takes no appends: nil, ErrClosed, or an ErrFailed.
func (l *Log) Err() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.err
}

// Name is the log's folder name, web_log-0; Dir its whole path.
func (l *Log) Name() string { return l.name }

// Dir is the folder that holds the log's files.
func (l *Log) Dir() string { return l.dir }

// Start is the first offset that may be read.
func (l *Log) Start() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.start
}

// HighWatermark is the offset up to which the log is on the disk; nothing at or
// behind it is handed out.
func (l *Log) HighWatermark() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.high
}

// End is the offset that the next record gets.
func (l *Log) End() record.Offset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.end
}

// Size is the log's bytes, indexes left out.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var n int64
	for _, s := range l.mu.segments {
		n += s.size
	}
	return n
}

// Producers lists the idempotent producers the log remembers, by id.
func (l *Log) Producers() []ProducerState {
	l.appending.Lock()
	defer l.appending.Unlock()
	return l.appending.producers.list()
}

func (l *Log) logger() *slog.Logger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.cfg.Logger
}
