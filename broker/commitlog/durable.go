package commitlog

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// checkpointEvery is how many bytes a log takes between two recovery points; it
// bounds what a restart after a crash reads again, beside recheckBytes.
const checkpointEvery = 128 << 20

// pending is what one sync will make durable.
type pending struct {
	sealed   []*segment
	active   *segment
	position int64
	end      record.Offset
	renamed  bool
	due      bool // write a checkpoint afterwards
}

// sync makes everything appended before it durable, raises the high watermark to it
// and says how many waited for that. Called by the Syncer; one at a time.
func (l *Log) sync() (released int) {
	l.syncing.Lock()
	p, ok := l.takePending()
	if !ok {
		l.syncing.Unlock()
		return 0
	}
	return l.finishSync(p, l.commit)
}

// finishSync commits what was taken, lets syncing go, which the caller holds, and sees
// to a recovery point where one is due.
func (l *Log) finishSync(p pending, commit func(pending) (int, error)) (released int) {
	released, err := commit(p)
	now := err == nil && l.pointDue(p.due)
	l.syncing.Unlock()
	if now {
		l.writePoint()
	}
	return released
}

// takePending collects what there is to sync; the caller holds syncing.
func (l *Log) takePending() (pending, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	active := l.mu.segments[len(l.mu.segments)-1]
	p := pending{sealed: l.mu.sealed, active: active, position: active.size, end: l.mu.end, renamed: l.mu.renamed,
		due: l.mu.due || l.mu.since >= checkpointEvery}
	if l.mu.err != nil || (p.end == l.mu.high && !p.renamed && !p.due) {
		return p, false
	}
	l.takeLocked(p)
	return p, true
}

// takeLocked says that p is being synced; the caller holds syncing and mu.
func (l *Log) takeLocked(p pending) {
	l.mu.sealed, l.mu.renamed = nil, false
	l.mu.waves.begin(p.end)
}

// upTo is all that a recovery point counts as durable and the last one did not: not
// only what was appended since the last sync, but what Open found, too. segments are the
// log's as of c. The caller holds keeping.
func (l *Log) upTo(c checkpoint, segments []*segment) pending {
	p := pending{active: segments[len(segments)-1], position: c.position, end: c.end}
	for _, s := range segments[:len(segments)-1] {
		if s.base >= l.point.segment {
			p.sealed = append(p.sealed, s)
		}
	}
	return p
}

// commit syncs the files of p, raises the high watermark, wakes who waits for it and
// says how many they were. A failure ends the log: what was not synced is not
// promised to anybody. Only what could not even be opened is tried again.
func (l *Log) commit(p pending) (released int, err error) {
	released, cause := l.trySync(p)
	switch {
	case cause == nil:
		return released, nil
	case cause.Fatal:
		return 0, l.fail(cause)
	}
	return 0, l.giveBack(p, cause)
}

// trySync is commit without what follows from a failure.
func (l *Log) trySync(p pending) (released int, cause *StorageError) {
	for _, s := range p.sealed {
		if err := syncSegment(s, s.size); err != nil {
			return 0, err
		}
	}
	if err := syncSegment(p.active, p.position); err != nil {
		return 0, err
	}
	if p.renamed {
		// A new segment's bytes are worth nothing without its name.
		if err := l.syncNames(); err != nil {
			return 0, &StorageError{Op: "syncing", Path: l.dir, Err: err, Fatal: errors.Is(err, ErrFailed) || !passing(err)}
		}
	}
	return l.raise(p), nil
}

// raised is commit for files that are synced already.
func (l *Log) raised(p pending) (released int, err error) { return l.raise(p), nil }

// raise raises the high watermark to what was synced, and wakes who waits for that.
func (l *Log) raise(p pending) (released int) {
	l.syncer.releasing(l)
	l.mu.Lock()
	l.mu.high = p.end
	l.mu.durable = place{p.active, p.position}
	l.mu.txns.settle(p.end)
	released = l.mu.waves.end(p.end)
	l.mu.Unlock()
	l.wake()
	return released
}

// syncSegment makes the first size bytes of a segment, and what else is there,
// durable. One that is gone has nothing to keep: what was deleted was durable before.
func syncSegment(s *segment, size int64) *StorageError {
	f, err := s.acquire()
	switch {
	case errors.Is(err, errGone):
		return nil
	case err != nil:
		return &StorageError{Op: "opening", Path: s.path(logSuffix), Position: size, Err: err, Fatal: !passing(err)}
	}
	defer f.release()
	if err := f.Sync(); err != nil {
		return &StorageError{Op: "syncing", Path: s.path(logSuffix), Position: size, Err: err, Fatal: true}
	}
	return nil
}

// syncNames makes the names in the log's folder durable. A failure ends the log, whatever
// the names were wanted for: the disk says it once, and whoever comes next with a new
// segment's name, or came at the same time, would be told that all is well.
func (l *Log) syncNames() error {
	l.naming.Lock()
	defer l.naming.Unlock()
	if failed := l.Err(); errors.Is(failed, ErrFailed) {
		return failed
	}
	err := l.fs.SyncDir(l.dir)
	var path *fs.PathError
	if err == nil || errors.As(err, &path) && path.Op == "open" { // too many open files: nothing was synced, nothing is lost
		return err
	}
	return l.fail(&StorageError{Op: "syncing", Path: l.dir, Err: err, Fatal: true})
}

// failIfFatal ends the log for an error after which nothing may be tried again.
func (l *Log) failIfFatal(err error) error {
	var storage *StorageError
	if errors.As(err, &storage) && storage.Fatal {
		return l.fail(storage)
	}
	return err
}

// checkpoint writes a recovery point at the log's end as it is when called: first
// the bytes, as any sync does, then their index entries and the producers, then the
// point itself. The caller holds keeping and must not hold syncing or appending.
func (l *Log) checkpoint() error {
	l.syncing.Lock()
	l.appending.Lock()
	l.mu.Lock()
	c, segments := l.pointLocked(), l.mu.segments
	p := l.upTo(c, segments)
	p.renamed = l.mu.renamed
	l.mu.since, l.mu.due = 0, false
	err := l.mu.err
	if err == nil {
		l.takeLocked(p)
	}
	l.mu.Unlock()
	snapshot := l.appending.producers.encode(c.end)
	l.appending.Unlock()
	// Open counts the batches as durable, even where the disk is too full for what follows.
	if err == nil {
		_, err = l.commit(p)
	}
	l.syncing.Unlock()
	if err != nil {
		return err
	}
	return l.writeCheckpoint(c, snapshot, segments)
}

// pointLocked is a recovery point at the end; the caller holds keeping, appending and mu.
func (l *Log) pointLocked() checkpoint {
	s := l.mu.segments[len(l.mu.segments)-1]
	return checkpoint{start: l.mu.start, end: l.mu.end, segment: s.base, position: s.size,
		latestTime: s.latestTime, latestLast: s.latestLast, firstWrite: s.firstWrite,
		gaps: record.Offset(l.stamps.gaps.Load()), epochs: l.appending.epochs.sum(l.mu.start, l.mu.end), aborted: l.point.aborted}
}

// writeCheckpoint makes good what c says of other files than the batches', which are
// durable, then writes it; segments are the log's as of c. The caller holds keeping, so
// none of them is deleted meanwhile. Syncs of batches go on beside it.
func (l *Log) writeCheckpoint(c checkpoint, snapshot []byte, segments []*segment) error {
	all := segments
	segments = slices.DeleteFunc(slices.Clone(segments), func(s *segment) bool { return s.base < l.point.segment }) // vouched for by the last point
	// The segments' names before what speaks of them.
	if err := l.syncNames(); err != nil {
		return err
	}
	aborted := false
	for _, s := range segments {
		// An index that is lost is found out and rebuilt, but not below a
		// recovery point, where nobody looks again.
		for _, e := range []*entries{&s.index, &s.times, &s.aborted} {
			if err := e.sync(); err != nil {
				return l.failIfFatal(err)
			}
		}
		aborted = aborted || s.aborted.any()
	}
	if aborted {
		// What the producers below speak of is not read again: an aborted transaction
		// whose index lost its name would be handed out as committed.
		if err := l.syncNames(); err != nil {
			return err
		}
	}
	if err := l.sumAborted(segments, c.end); err != nil {
		return err
	}
	c.aborted = l.sums.lines(all)
	if err := replace(l.fs, filepath.Join(l.dir, producersFile), snapshot); err != nil {
		return err
	}
	if err := replace(l.fs, filepath.Join(l.dir, checkpointFile), c.bytes()); err != nil {
		return err
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	l.point = c
	return nil
}

// wake tells who watches that the high watermark, and with it perhaps the last
// stable offset, rose, and everybody that the log ended.
func (l *Log) wake() {
	l.mu.Lock()
	if l.mu.err != nil {
		l.mu.waves.endAll()
	}
	watchers := make([]func(), 0, len(l.mu.watchers))
	for _, f := range l.mu.watchers {
		watchers = append(watchers, f)
	}
	l.mu.Unlock()
	for _, f := range watchers {
		f()
	}
}

// Watch has f called whenever the high watermark or the last stable offset rises or
// the log ends. f runs on the syncing goroutine with locks held: it must not block
// and may call nothing of the log but Start, HighWatermark, LastStable, End and Err. It may be called once more while
// cancel returns. Look at the log after Watch, not before, or a rise is missed.
func (l *Log) Watch(f func()) (cancel func()) {
	defer l.hurry() // behind the lock
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.mu.nextID
	l.mu.nextID++
	if l.mu.watchers == nil {
		l.mu.watchers = map[int]func(){}
	}
	l.mu.watchers[id] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.mu.watchers, id)
		l.mu.watched = time.Now()
	}
}
