package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/loghaul/loghaul/internal/disk"
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
	l.stamps.damages = &l.damages
	l.mu.cfg = cfg
	if err := l.load(); err != nil {
		for _, s := range l.mu.segments {
			_ = s.close()
		}
		if scarce(err) {
			err = fmt.Errorf("%w: allow more with ulimit -n, or LimitNOFILE= of the service", err)
		}
		return nil, fmt.Errorf("opening log %s: %w", dir, err)
	}
	l.letGoOld()
	// What a check after a crash has opened is closed until it is wanted: thousands of logs
	// would hold three files each. All of it is synced.
	for _, s := range l.mu.segments {
		_ = s.close() // entries that the disk has no room for stay in memory
	}
	return l, nil
}

func (l *Log) load() error {
	names, err := l.names()
	if err != nil {
		return err
	}
	l.whole = l.syncer.holds(l.dir)
	point, err := loadCheckpoint(l.fs, l.dir)
	if errors.Is(err, errNewer) || scarce(err) {
		return err
	} else if err != nil {
		l.mu.cfg.Logger.Warn("recovery point is unusable, the whole log is checked", "log", l.name, "error", err)
	}
	if err := l.list(names); err != nil {
		return err
	}
	l.nameForeign(names)
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
	back := record.Offset(-1)
	if slices.ContainsFunc(names, func(d fs.DirEntry) bool { return d.Name() == damagedFile }) {
		l.loadDamages()
		if back, err = l.readmit(point); err != nil {
			return err
		}
	}
	epochs, clean := epochs && back < 0, point != nil && point.clean && back < 0 && l.endsAt(point)
	l.unclean = !clean && !fresh && !l.mu.cfg.Foreign && !l.changedSince(point)
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
	if slices.ContainsFunc(names, func(d fs.DirEntry) bool { return d.Name() == compactedFile }) {
		l.loadCompacted() // few logs are compacted
	}
	l.lostStart(point)
	if back >= 0 {
		reread = min(reread, back)
		if err := l.readmitAborted(); err != nil {
			return err
		}
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

// scarce says that a file could not be opened because too many are: that says nothing of
// the file.
func scarce(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }

// Rechecked is how many bytes Open read again to find the log's end.
func (l *Log) Rechecked() int64 { return l.rechecked }

// Unclean says that the log had been written to and not been closed before Open.
func (l *Log) Unclean() bool { return l.unclean }

// Begun says that Open found nothing of the log: it is new, or all of it was lost.
func (l *Log) Begun() bool { return l.begun }

// Kept says whether a folder holds a log of this package, or what is left of one.
func Kept(fsys disk.FS, dir string) bool {
	_, err := fsys.Stat(filepath.Join(dir, checkpointFile))
	return err == nil
}

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
	named, later := false, l.later()
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
		l.mu.since += s.size - from
		if later {
			continue
		}
		if err := syncSegment(s, s.size); err != nil {
			return l.fail(err)
		}
	}
	if named && !later { // segments begun since have names that may not be durable
		return l.fs.SyncDir(l.dir)
	}
	return nil
}

// later says that the caller makes durable what Open begins or finds.
func (l *Log) later() bool { return l.mu.cfg.Later && l.whole }

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
		s.size, s.lastWrite, s.behind = info.Size(), info.ModTime(), disk.Reserved(info)
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
	case checkpointFile, producersFile, epochsFile, compactedFile, damagedFile:
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
	if l.begun = point == nil; !l.begun {
		return false, nil
	}
	c := l.pointLocked()
	c.clean = true // nothing is in it
	put := replace
	if l.mu.renamed = !l.later(); l.later() {
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

// changedSince says that the log was closed cleanly and ends earlier, or where it was
// closed: files were taken away or put back since, no process died in it.
func (l *Log) changedSince(c *checkpoint) bool {
	last := l.mu.segments[len(l.mu.segments)-1]
	return c != nil && c.clean && (last.base < c.segment || last.base == c.segment && last.size <= c.position || last.base == c.end && last.size == 0)
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
	if last, err = l.goOn(point); err != nil {
		return 0, err
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
