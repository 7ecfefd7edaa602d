package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/internal/record"
)

// A compacted segment comes into its place in three steps, each durable before the
// next, so that a crash at any moment leaves the old segments or the new one:
//
//	FIRST-NEXT.cleaned   being written; worth nothing, Open removes it
//	FIRST-NEXT.swap      whole and on the disk; it stands for every segment from FIRST on and below NEXT,
//	                     which are removed now, or by Open
//	FIRST.log            its name when they are gone and its indexes are on the disk
//
// FIRST is the base of the new segment, NEXT that of the one behind it.
const (
	cleanedSuffix = ".cleaned"
	swapSuffix    = ".swap"
)

func swapName(first, next record.Offset, suffix string) string {
	return fmt.Sprintf("%020d-%020d%s", first, next, suffix)
}

func parseSwapName(name, suffix string) (first, next record.Offset, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 41 || digits[20] != '-' {
		return 0, 0, false
	}
	a, err := strconv.ParseUint(digits[:20], 10, 63)
	b, err2 := strconv.ParseUint(digits[21:], 10, 63)
	return record.Offset(a), record.Offset(b), err == nil && err2 == nil && a < b
}

// swapIn puts a finished segment in its group's place. The caller holds compacting.
func (l *Log) swapIn(c *cleaned, group []source) error {
	l.keeping.Lock()
	defer l.endDeleting()
	l.mu.RLock()
	_, ok := holds(l.mu.segments, group)
	err := l.mu.err
	l.mu.RUnlock()
	if err != nil {
		return err // closed: discard removes the file
	}
	if !ok {
		return errGone // what is left of the group is as dirty as it was
	}
	s := c.segment
	if err := l.fs.Rename(c.path, s.swap); err != nil {
		return &StorageError{Op: "naming", Path: s.swap, Err: err}
	}
	s.hold(c.f)
	c.f = nil
	l.compacting.stuck = true // until the end: no other may take the same names
	// The old segments go for this name.
	if err := l.syncNames(); err != nil {
		return l.fail(&StorageError{Op: "syncing", Path: l.dir, Err: err, Fatal: true})
	}
	s.index.adopt(c.index)
	s.times.adopt(c.times)
	s.aborted.adopt(c.aborted)
	s.markersKnown.Store(true)
	l.sums.put(s.base, sumOf(c.aborted))
	l.mu.Lock()
	l.mu.due = true // the recovery point does not know these aborted transactions
	at, _ := holds(l.mu.segments, group)
	l.mu.segments = slices.Concat(l.mu.segments[:at], []*segment{s}, l.mu.segments[at+len(group):])
	l.mu.sealed = slices.DeleteFunc(slices.Clone(l.mu.sealed), func(s *segment) bool {
		return slices.ContainsFunc(group, func(old source) bool { return old.segment == s })
	})
	l.mu.Unlock()
	half := halfSwap{segment: s}
	for _, old := range group {
		half.old = append(half.old, old.segment)
	}
	l.lease(half.old)
	l.compacting.half = append(l.compacting.half, half)
	return l.finishHalves()
}

// halfSwap is a compacted segment that serves under its .swap name, and those that it
// stands for whose files have not been removed.
type halfSwap struct {
	segment *segment
	old     []*segment
}

// finishHalves gives compacted segments their own names. What a full disk leaves undone
// is done by the next compaction, or the next start. The caller holds compacting and
// keeping.
func (l *Log) finishHalves() error {
	for len(l.compacting.half) > 0 {
		h := &l.compacting.half[0]
		for len(h.old) > 0 {
			old := h.old[0]
			if err := old.unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing compacted segment %s, trying again later: %w", old.path(logSuffix), err)
			}
			h.old = h.old[1:]
		}
		if err := l.settleSwap(h.segment); err != nil && !errors.Is(err, errGone) { // retention took it meanwhile
			return err
		}
		l.compacting.half = l.compacting.half[1:]
	}
	l.compacting.stuck = false
	return nil
}

// resume finishes what a full disk left of an earlier compaction. The caller holds
// compacting.
func (l *Log) resume() error {
	if len(l.compacting.half) == 0 {
		return nil
	}
	l.keeping.Lock()
	defer l.endDeleting()
	if l.Err() != nil {
		return nil
	}
	return l.finishHalves()
}

// settleSwap gives a compacted segment its own name: the ones it stands for are
// unlinked, and its indexes are in memory. The caller holds keeping or is alone.
func (l *Log) settleSwap(s *segment) error {
	for _, e := range []*entries{&s.index, &s.times, &s.aborted} {
		e.settle()
		if err := e.sync(); err != nil {
			return l.failIfFatal(err)
		}
	}
	// While this name stays, a start looks for old segments and makes the indexes anew.
	if err := l.syncNames(); err != nil {
		return err
	}
	if err := s.rename(); err != nil {
		return err
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	return nil
}

// rename gives the file of a compacted segment its own name.
func (s *segment) rename() error {
	s.log.Lock()
	defer s.log.Unlock()
	if s.swap == "" {
		return nil // it was done, and not made durable
	}
	if err := s.fs.Rename(s.swap, s.path(logSuffix)); err != nil {
		return &StorageError{Op: "naming", Path: s.path(logSuffix), Err: err}
	}
	s.swap = ""
	return nil
}

// listSwaps removes what a compaction was still writing, and puts each segment that
// it had finished in the place of those that one stands for.
func (l *Log) listSwaps(names []os.DirEntry) error {
	if slices.ContainsFunc(names, func(d os.DirEntry) bool { return strings.HasSuffix(d.Name(), swapSuffix) }) {
		// Who was killed may have given this name and not made it durable; the old segments go for it.
		if err := l.fs.SyncDir(l.dir); err != nil {
			return err
		}
	}
	for _, d := range names {
		if _, _, ok := parseSwapName(d.Name(), cleanedSuffix); ok && !d.IsDir() {
			_ = l.fs.Remove(filepath.Join(l.dir, d.Name()))
		}
		first, next, ok := parseSwapName(d.Name(), swapSuffix)
		if !ok || d.IsDir() {
			continue
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var kept []*segment
		for _, s := range l.mu.segments {
			if s.base < first || s.base >= next {
				kept = append(kept, s)
			} else if err := s.unlink(); err != nil {
				return &StorageError{Op: "removing", Path: s.path(logSuffix), Err: err}
			}
		}
		s := newSegment(l.fs, l.dir, first, &l.stamps)
		s.swap = filepath.Join(l.dir, d.Name())
		s.size, s.lastWrite, s.firstWrite = info.Size(), info.ModTime(), info.ModTime()
		s.unchecked.to.Store(s.size)
		for _, e := range []*entries{&s.index, &s.times, &s.aborted} {
			_ = l.fs.Remove(e.path) // of an old segment, or not whole
			e.adopt(nil)
			e.settle()
		}
		l.mu.segments = append(kept, s)
	}
	return nil
}

// finishSwaps ends, at Open, the compactions that a crash came into. Their indexes
// are made anew from the batches.
func (l *Log) finishSwaps() error {
	if !slices.ContainsFunc(l.mu.segments, func(s *segment) bool { return s.swap != "" }) {
		return nil
	}
	// The old names go before the new one comes.
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	open := map[int64]record.Offset{}
	for _, s := range l.mu.segments {
		aborted, err := s.abortedFrom(open, 0, s.size)
		if err != nil {
			return err
		}
		if s.swap == "" {
			continue
		}
		if err = s.rebuild(s.size); err == nil {
			err = s.aborted.rewrite(aborted)
			s.markersKnown.Store(true)
			l.sums.put(s.base, sumOf(aborted))
			l.mu.due = true
		}
		if err != nil {
			return err
		}
		if err := l.settleSwap(s); err != nil {
			l.compacting.stuck = true // it serves under this name, with indexes in memory
			l.compacting.half = append(l.compacting.half, halfSwap{segment: s})
			l.mu.cfg.Logger.Warn("finishing a compaction, trying again later", "log", l.name, "error", err)
		}
	}
	return nil
}
