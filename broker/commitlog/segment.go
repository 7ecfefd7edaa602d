package commitlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

const (
	logSuffix   = ".log"
	indexSuffix = ".index"
	timesSuffix = ".timeindex"
	abortSuffix = ".txnindex"
)

// segment is one file of batches with its two indexes. The last one of a log is
// active and grows; the others are sealed and never change.
type segment struct {
	fs           disk.FS
	dir          string
	base         record.Offset
	swap         string // the log file while a compaction is being finished; guarded by log
	index        entries
	times        entries
	aborted      entries     // kept whole, unlike the two above
	markersKnown atomic.Bool // the aborted entries have been held against the log
	abortedDoubt atomic.Bool // they are wrong, and to be made anew before anybody asks for them
	stamps       *stamps     // the log's
	unchecked    unchecked
	log          struct {
		sync.Mutex
		h    *handle // nil: not open
		used bool    // since the last rest
		gone bool    // unlinked or closed; never opened again
	}

	// Written under Log.appending and Log.mu together, read under either.
	size       int64
	latestTime int64         // ms, -1: none
	latestLast record.Offset // last offset of the first batch that is that late
	timed      bool          // the two above are known
	firstWrite time.Time     // wall clock of the first append; zero: none yet
	lastWrite  time.Time     // wall clock of the last append
	counted    time.Time     // that is in the future: since when it counts as written; else zero

	behind int64 // bytes behind its end that Open found laid out; only while opening

	// Under Log.appending alone.
	sinceIndex  int   // bytes since the last index entry
	indexedTime int64 // time of the last time entry
}

// errGone says that retention or Close took the segment while it was being looked
// at; who gets it looks at the log again.
var errGone = errors.New("segment is gone")

func newSegment(fsys disk.FS, dir string, base record.Offset, st *stamps) *segment {
	s := &segment{fs: fsys, dir: dir, base: base, stamps: st, latestTime: -1, indexedTime: -1}
	s.index = entries{fs: fsys, path: s.path(indexSuffix), width: indexWidth}
	s.times = entries{fs: fsys, path: s.path(timesSuffix), width: timesWidth}
	s.aborted = entries{fs: fsys, path: s.path(abortSuffix), width: abortedWidth, optional: true}
	return s
}

// createSegment makes an empty active segment. Its name is not durable yet.
func createSegment(fsys disk.FS, dir string, base record.Offset, st *stamps) (*segment, error) {
	s := newSegment(fsys, dir, base, st)
	s.timed = true
	s.aborted.empty()
	s.markersKnown.Store(true)
	path := s.path(logSuffix)
	f, err := fsys.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &StorageError{Op: "creating", Path: path, Err: err}
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		f.Close()
		return nil, &StorageError{Op: "creating", Path: path, Err: errors.Join(err, errors.New("a file with bytes in it has this name already"))}
	}
	s.hold(f)
	s.log.used = true
	return s, nil
}

func (s *segment) name() string { return segmentName(s.base, logSuffix) }

func (s *segment) path(suffix string) string {
	return filepath.Join(s.dir, segmentName(s.base, suffix))
}

// file is the log file's name; the caller holds log or is alone.
func (s *segment) file() string {
	if s.swap != "" {
		return s.swap
	}
	return s.path(logSuffix)
}

func segmentName(base record.Offset, suffix string) string {
	return fmt.Sprintf("%020d%s", base, suffix)
}

// parseSegmentName is the base offset in a file's name, which has 20 digits.
func parseSegmentName(name, suffix string) (record.Offset, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return record.Offset(n), err == nil
}

// handle is an open segment file, shared by its segment and by Spans. The last
// one to release it closes it; the file may be unlinked long before.
type handle struct {
	disk.File
	refs atomic.Int64
}

func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		h.Close()
	}
}

// acquire opens the file if need be; the caller releases what it gets.
func (s *segment) acquire() (*handle, error) {
	s.log.Lock()
	defer s.log.Unlock()
	if s.log.gone {
		return nil, errGone
	}
	if s.log.h == nil {
		f, err := s.fs.Open(s.file(), os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("opening segment %s: %w", s.path(logSuffix), err)
		}
		s.hold(f)
	}
	s.log.used = true
	s.log.h.refs.Add(1)
	return s.log.h, nil
}

// openQuiet opens the file once more, to be read by one goroutine without filling the
// page cache. errGone: it is not there any more.
func (s *segment) openQuiet() (disk.File, error) {
	s.log.Lock()
	defer s.log.Unlock()
	if s.log.gone {
		return nil, errGone
	}
	f, err := s.fs.Open(s.file(), os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("opening segment %s: %w", s.path(logSuffix), err)
	}
	if _, real := s.fs.(disk.Real); real { // any other has its own way of reading
		f = quietly(f)
	}
	return f, nil
}

// hold takes over an open file; the caller holds log or is alone.
func (s *segment) hold(f disk.File) {
	s.log.h = &handle{File: f}
	s.log.h.refs.Store(1)
}

// rest closes the files if nobody used them since the last rest, so that open
// files are bounded by what is read and written, not by what is kept.
func (s *segment) rest() {
	s.log.Lock()
	idle := !s.log.used
	s.log.used = false
	s.log.Unlock()
	if idle {
		_ = s.close()
	}
}

// isOpen says whether the file is held open.
func (s *segment) isOpen() bool {
	s.log.Lock()
	defer s.log.Unlock()
	return s.log.h != nil
}

// close lets go of the files; Spans keep theirs.
func (s *segment) close() error {
	err := s.index.rest()
	for _, e := range []*entries{&s.times, &s.aborted} {
		if eerr := e.rest(); err == nil {
			err = eerr
		}
	}
	s.log.Lock()
	defer s.log.Unlock()
	if s.log.h != nil {
		s.log.h.release()
		s.log.h = nil
	}
	return err
}

// retire closes the files for good: the segment is deleted or its log closed.
// Index entries that were not synced before are lost.
func (s *segment) retire() {
	s.index.forget()
	s.times.forget()
	s.aborted.forget()
	s.log.Lock()
	defer s.log.Unlock()
	s.log.gone = true
	if s.log.h != nil {
		s.log.h.release()
		s.log.h = nil
	}
}

// unlink removes the files; what is open stays readable. The log goes first: an
// index without a log is swept at the next Open, a log without index is rebuilt.
func (s *segment) unlink() error {
	s.retire()
	err := s.fs.Remove(s.file())
	_ = s.fs.Remove(s.path(indexSuffix))
	_ = s.fs.Remove(s.path(timesSuffix))
	_ = s.fs.Remove(s.path(abortSuffix))
	return err
}

// note puts the batch at position into the indexes when enough bytes have passed
// since the last entry; the caller has put its time into latestTime already.
func (s *segment) note(h record.Header, position int64, interval int) {
	if s.sinceIndex > interval {
		s.index.add(indexEntry{h.LastOffset() - s.base, position}.bytes())
		s.noteTime()
		s.sinceIndex = 0
	}
	s.sinceIndex += h.Size()
}

// noteTime adds a time entry if the latest time rose since the last one; at the
// end of a segment it makes the last entry say the latest time of all.
func (s *segment) noteTime() {
	if s.latestTime > s.indexedTime {
		s.times.add(timeEntry{s.latestTime, s.latestLast - s.base}.bytes())
		s.indexedTime = s.latestTime
	}
}

// see lets a batch's time into the latest time. One that compaction has emptied has
// none.
func (s *segment) see(h record.Header) {
	if h.Count > 0 && h.MaxTimestamp > s.latestTime {
		s.latestTime, s.latestLast = h.MaxTimestamp, h.LastOffset()
	}
}

// full says whether a batch must go into the next segment: too many bytes, too
// old, or an offset that no index entry could name.
func (s *segment) full(cfg *Config, size int, last record.Offset, now time.Time) bool {
	switch {
	case s.size == 0:
		return false
	case s.size+int64(size) > cfg.SegmentBytes:
		return true
	case now.Sub(s.firstWrite) > cfg.rollAge():
		return true
	}
	return last-s.base > 1<<31-1
}
