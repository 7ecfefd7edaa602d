package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/internal/record"
)

// Open opens the log in dir, or begins one at offset 0, making the folder if it
// is missing. A log that was closed cleanly is taken as it is; any other is
// recovered: see recover. All that Open returns is durable, so the high watermark
// is the end. s syncs what is appended; with none each Append syncs by itself.
// One process opens a folder at a time; that is the caller's to see to.
func Open(dir string, cfg Config, s *Syncer) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.filled()
	l := &Log{dir: dir, name: filepath.Base(dir), fs: cfg.Disk, syncer: s}
	l.mu.cfg = cfg
	if err := l.load(); err != nil {
		for _, s := range l.mu.segments {
			_ = s.close()
		}
		return nil, fmt.Errorf("opening log %s: %w", dir, err)
	}
	l.whole = s.holds(dir)
	return l, nil
}

func (l *Log) load() error {
	names, err := l.names()
	if err != nil {
		return err
	}
	point, err := loadCheckpoint(l.fs, l.dir)
	if errors.Is(err, errNewer) {
		return err
	} else if err != nil {
		l.mu.cfg.Logger.Warn("recovery point is unusable, the whole log is checked", "log", l.name, "error", err)
	}
	if err := l.list(names); err != nil {
		return err
	}
	if err := l.believe(point); err != nil {
		return err
	}
	fresh := false
	if len(l.mu.segments) == 0 {
		if fresh, err = l.begin(point); err != nil {
			return err
		}
	}
	epochs := l.loadEpochs(point)
	clean := point != nil && point.clean && l.endsAt(point)
	if clean {
		l.trust(point)
	} else if err := l.recover(point); err != nil {
		return err
	}
	l.stamps.allow(l.point.gaps) // that were found without a point
	reread, err := l.settle(point, epochs)
	if err != nil {
		return err
	}
	if err := l.finishSwaps(); err != nil {
		return err
	}
	l.loadCompacted()
	if point != nil && l.mu.segments[0].base > point.start {
		l.mu.cfg.Logger.Error("the log's first files are gone, lost or deleted while the disk was full: put them back while the broker is stopped, if they should be there",
			"log", l.name, "from", int64(point.start), "first", l.mu.segments[0].name())
	}
	return l.vouchFor(point, reread, fresh, clean)
}

// vouchFor sees to it that what was found is durable, as it counts from here on, and to
// the recovery point.
func (l *Log) vouchFor(point *checkpoint, reread record.Offset, fresh, clean bool) error {
	switch {
	case fresh:
		return l.appending.active.close() // until it is written to
	case clean: // what there is was synced before
	case l.keeps(point, reread):
		if err := l.vouch(point); err != nil {
			return err
		}
	default:
		// What was found counts as durable from here on, so it is synced: the crash may
		// have come before its sync. On a full disk the old point stays, and the log is
		// open all the same.
		l.point.segment = min(l.point.segment, reread)
		l.leaveFormer(point)
		if err := l.checkpoint(); err != nil {
			l.mu.cfg.Logger.Warn("writing a recovery point, the next one may succeed", "log", l.name, "error", err)
		}
		return l.Err()
	}
	l.point = *point
	l.point.segment = min(l.point.segment, reread)
	l.leaveFormer(point)
	return nil
}

// leaveFormer has the next recovery point say of all segments what the one that was found
// could not.
func (l *Log) leaveFormer(point *checkpoint) {
	if point != nil && point.former {
		l.point.segment = 0
	}
}

// believe takes over what the recovery point says beside where to begin; without one
// nothing is known of the aborted transactions, whose index has no checksum.
func (l *Log) believe(point *checkpoint) error {
	if point == nil {
		for _, s := range l.mu.segments {
			s.abortedDoubt.Store(s.size > 0)
		}
		return nil
	}
	l.stamps.allow(point.gaps)
	return l.sums.load(point)
}

// Rechecked is how many bytes Open read again to find the log's end.
func (l *Log) Rechecked() int64 { return l.rechecked }

// names lists the folder, which is made when it is missing.
func (l *Log) names() ([]fs.DirEntry, error) {
	names, err := l.fs.ReadDir(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, makeFolder(l.fs, l.dir)
	}
	return names, err
}

// keeps says whether the recovery point that was found still holds: nothing before
// it is missing, and neither the log's start nor what the producers did is newer.
func (l *Log) keeps(point *checkpoint, reread record.Offset) bool {
	if point == nil || point.former || l.mu.end < point.end || l.mu.start != point.start || reread < point.segment {
		return false
	}
	i := slices.IndexFunc(l.mu.segments, func(s *segment) bool { return s.base == point.segment })
	return i >= 0 && l.mu.segments[i].size >= point.position
}

// vouch makes durable what lies behind the recovery point that was found: it counts as
// that from here on, and the crash may have come before its sync. The point itself
// stays, so that opening a thousand logs does not write a thousand of them.
func (l *Log) vouch(point *checkpoint) error {
	named := false
	for _, s := range l.mu.segments {
		from := int64(0)
		switch {
		case s.base < point.segment:
			continue
		case s.base == point.segment:
			from = point.position
		default:
			named = true
		}
		if s.size == from {
			continue
		}
		if err := syncSegment(s, s.size); err != nil {
			return l.fail(err)
		}
		l.mu.since += s.size - from
	}
	if named { // segments begun since have names that may not be durable
		return l.fs.SyncDir(l.dir)
	}
	return nil
}

// list finds the segments and sweeps what a crash left half done.
func (l *Log) list(names []fs.DirEntry) error {
	logs := map[record.Offset]bool{}
	there := map[string]bool{}
	for _, d := range names {
		there[d.Name()] = true
		if kafkas, ok := strings.CutSuffix(d.Name(), ".swap"); ok && strings.HasSuffix(kafkas, logSuffix) {
			return fmt.Errorf("%s was left by a Kafka that was stopped in the middle of a compaction: start that Kafka once more and stop it, or remove the files "+
				"whose names end in .swap, and what it compacted is there as it was before, if the old files are", filepath.Join(l.dir, d.Name()))
		}
		base, ok := parseSegmentName(d.Name(), logSuffix)
		if !ok || d.IsDir() {
			continue
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := newSegment(l.fs, l.dir, base, &l.stamps)
		s.size, s.lastWrite = info.Size(), info.ModTime()
		s.unchecked.to.Store(s.size)
		if s.size > 1<<31-1 {
			return &StorageError{Op: "opening", Path: s.path(logSuffix), Position: s.size, Err: ErrTooLarge}
		}
		s.firstWrite = s.lastWrite // nobody knows better, unless the checkpoint does
		l.mu.segments = append(l.mu.segments, s)
		logs[base] = true
	}
	if err := l.listSwaps(names); err != nil {
		return err
	}
	slices.SortFunc(l.mu.segments, func(a, b *segment) int { return int(min(max(a.base-b.base, -1), 1)) })
	for _, s := range l.mu.segments {
		if !there[segmentName(s.base, abortSuffix)] {
			s.aborted.empty()
		}
	}
	for _, d := range names {
		if l.leftover(d.Name(), logs) {
			_ = l.fs.Remove(filepath.Join(l.dir, d.Name()))
		}
	}
	return nil
}

// leftover is a file of ours that nothing belongs to any more.
func (l *Log) leftover(name string, logs map[record.Offset]bool) bool {
	real := strings.TrimSuffix(name, tmpSuffix)
	switch real {
	case checkpointFile, producersFile, epochsFile, compactedFile:
		return real != name
	}
	for _, suffix := range []string{indexSuffix, timesSuffix, abortSuffix} {
		if base, ok := parseSegmentName(real, suffix); ok {
			return real != name || !logs[base]
		}
	}
	return false
}

// begin makes the first segment: at offset 0, or where the log ended when all of
// it was taken away by hand, because an offset is never given out twice. A fresh log
// has a recovery point from its first moment: without one nothing would say later
// that batches are missing.
func (l *Log) begin(point *checkpoint) (fresh bool, err error) {
	var base record.Offset
	if point != nil {
		base = max(point.end, point.start)
	}
	s, err := createSegment(l.fs, l.dir, base, &l.stamps)
	if err != nil {
		return false, err
	}
	l.mu.segments = []*segment{s}
	l.mu.renamed = true // settle makes both names durable
	if point != nil {
		return false, nil
	}
	c := l.pointLocked()
	c.clean = true // nothing is in it
	put := replace
	if l.mu.renamed = !l.mu.cfg.Later; l.mu.cfg.Later {
		put = lay
	}
	if err := put(l.fs, filepath.Join(l.dir, checkpointFile), c.bytes()); err != nil {
		l.mu.cfg.Logger.Warn("writing a recovery point, the next one may succeed", "log", l.name, "error", err)
		return true, nil
	}
	l.point = c
	return true, nil
}

// endsAt says whether the log's last byte is where the checkpoint says: every
// append, roll or cut since then would have moved it.
func (l *Log) endsAt(c *checkpoint) bool {
	last := l.mu.segments[len(l.mu.segments)-1]
	return last.base == c.segment && last.size == c.position
}

// trust takes the log as Close left it.
func (l *Log) trust(c *checkpoint) {
	s := l.mu.segments[len(l.mu.segments)-1]
	s.latestTime, s.latestLast, s.timed = c.latestTime, c.latestLast, true
	s.indexedTime = c.latestTime
	s.firstWrite = c.firstWrite
	l.mu.end = c.end
}

// settle puts the parts together around the end that is now known. From the segment
// that begins at reread on the index of aborted transactions was made anew.
func (l *Log) settle(point *checkpoint, epochs bool) (reread record.Offset, err error) {
	last := l.mu.segments[len(l.mu.segments)-1]
	l.mu.start = l.mu.segments[0].base
	if point != nil {
		l.mu.start = max(l.mu.start, point.start)
		if last.base == point.segment && !point.firstWrite.IsZero() {
			last.firstWrite = point.firstWrite
		}
	}
	l.appending.end, l.appending.active = l.mu.end, last
	l.stamps.gaps.Store(min(l.stamps.gaps.Load(), int64(l.mu.end))) // what comes behind a cut has none
	if l.mu.start > l.mu.end {
		// What was kept behind the log's start is lost; its offsets stay used.
		l.appending.end = l.mu.start
		l.stamps.allow(l.mu.start)
		if err := l.roll(); err != nil {
			return 0, err
		}
		l.mu.end, last = l.mu.start, l.appending.active
	}
	l.mu.high, l.mu.durable = l.mu.end, place{last, last.size}
	if err := l.settleEpochs(point, epochs); err != nil {
		return 0, err
	}
	if reread, err = l.loadProducers(); err != nil {
		return 0, err
	}
	if l.mu.renamed {
		l.mu.renamed = false
		return reread, l.fs.SyncDir(l.dir)
	}
	return reread, nil
}

// loadProducers reads the snapshot and then, from the log, what came after it, in
// the segment that begins at reread and those behind it. A snapshot that is missing
// or damaged means the whole log.
func (l *Log) loadProducers() (reread record.Offset, err error) {
	ps, from, err := loadProducers(l.fs, l.dir, l.mu.end)
	if err != nil {
		l.mu.cfg.Logger.Warn("producer snapshot is unusable, the whole log is read for it", "log", l.name, "error", err)
	}
	l.appending.producers = ps
	l.loadTxns()
	reread = l.mu.segments[len(l.mu.segments)-1].base
	for i, s := range l.mu.segments {
		if i+1 < len(l.mu.segments) && l.mu.segments[i+1].base <= from {
			continue
		}
		// What the snapshot knows was synced before it, entries behind it are made anew.
		if err := s.trimAborted(from, l.mu.end); err != nil {
			return 0, err
		}
		if from >= l.mu.end {
			continue
		}
		reread = min(reread, s.base)
		if err := l.replayProducers(s, from); err != nil {
			return 0, err
		}
	}
	l.mu.txns.settle(l.mu.high) // every marker found is durable
	l.appending.producers.expire(l.mu.cfg.Aging().Add(-l.mu.cfg.ProducerExpiry))
	return reread, nil
}

// replayProducers lets the batches of one segment, from an offset on, have their
// effect on producers and transactions.
func (l *Log) replayProducers(s *segment, from record.Offset) error {
	// The time of the append is not in the log; the file's own is no earlier.
	wrote := s.lastWrite.UnixMilli()
	return l.walkDurable(s, from, func(f *handle, pos int64, h record.Header) error {
		if h.BaseOffset < from {
			return nil
		}
		m, err := s.marker(f, pos, h)
		if err != nil {
			return err
		}
		change := l.appending.producers.add(h, m, wrote, l.mu.cfg.MaxProducers)
		switch {
		case change.began:
			l.mu.txns.begin(h.ProducerID, h.BaseOffset)
		case change.ended:
			if change.aborted {
				l.noteAborted(s, h, change.first)
			}
			l.mu.txns.end(h.ProducerID, h.LastOffset())
		}
		return nil
	})
}
