package commitlog

import (
	"fmt"
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
	l := &Log{dir: dir, name: filepath.Base(dir), fs: cfg.fs, syncer: s}
	l.mu.cfg = cfg
	if err := l.load(); err != nil {
		for _, s := range l.mu.segments {
			_ = s.close()
		}
		return nil, fmt.Errorf("opening log %s: %w", dir, err)
	}
	return l, nil
}

func (l *Log) load() error {
	if err := makeFolder(l.fs, l.dir); err != nil {
		return err
	}
	point, err := loadCheckpoint(l.fs, l.dir)
	if err != nil {
		l.mu.cfg.Logger.Warn("recovery point is unusable, the whole log is checked", "log", l.name, "error", err)
	}
	if err := l.list(); err != nil {
		return err
	}
	if len(l.mu.segments) == 0 {
		if err := l.begin(point); err != nil {
			return err
		}
	}
	clean := point != nil && point.clean && l.endsAt(point)
	if clean {
		l.trust(point)
	} else if err := l.recover(point); err != nil {
		return err
	}
	reread, err := l.settle(point)
	if err != nil {
		return err
	}
	if err := l.finishSwaps(); err != nil {
		return err
	}
	l.loadCompacted()
	if clean {
		l.point = *point
		l.point.segment = min(l.point.segment, reread)
		return nil
	}
	l.point.segment = min(l.point.segment, reread)
	// What was found counts as durable from here on, so it is synced: the crash may
	// have come before its sync. The next one begins its check here; a new log has a
	// point from its first moment. On a full disk the old point stays, and the log is
	// open all the same.
	if err := l.checkpoint(); err != nil {
		l.mu.cfg.Logger.Warn("writing a recovery point, the next one may succeed", "log", l.name, "error", err)
	}
	return l.Err()
}

// list finds the segments and sweeps what a crash left half done.
func (l *Log) list() error {
	names, err := l.fs.readDir(l.dir)
	if err != nil {
		return err
	}
	logs := map[record.Offset]bool{}
	there := map[string]bool{}
	for _, d := range names {
		there[d.Name()] = true
		base, ok := parseSegmentName(d.Name(), logSuffix)
		if !ok || d.IsDir() {
			continue
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := newSegment(l.fs, l.dir, base)
		s.size, s.lastWrite = info.Size(), info.ModTime()
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
			s.markersKnown.Store(true)
		}
	}
	for _, d := range names {
		if l.leftover(d.Name(), logs) {
			_ = l.fs.remove(filepath.Join(l.dir, d.Name()))
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
// it was taken away by hand, because an offset is never given out twice.
func (l *Log) begin(point *checkpoint) error {
	var base record.Offset
	if point != nil {
		base = max(point.end, point.start)
	}
	s, err := createSegment(l.fs, l.dir, base)
	if err != nil {
		return err
	}
	l.mu.segments = []*segment{s}
	l.mu.renamed = true
	return nil
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
func (l *Log) settle(point *checkpoint) (reread record.Offset, err error) {
	last := l.mu.segments[len(l.mu.segments)-1]
	l.mu.start = l.mu.segments[0].base
	if point != nil {
		l.mu.start = max(l.mu.start, point.start)
		if last.base == point.segment && !point.firstWrite.IsZero() {
			last.firstWrite = point.firstWrite
		}
	}
	l.appending.end, l.appending.active = l.mu.end, last
	if l.mu.start > l.mu.end {
		// What was kept behind the log's start is lost; its offsets stay used.
		l.appending.end = l.mu.start
		if err := l.roll(); err != nil {
			return 0, err
		}
		l.mu.end, last = l.mu.start, l.appending.active
	}
	l.mu.high, l.mu.durable = l.mu.end, place{last, last.size}
	if err := l.loadEpochs(); err != nil {
		return 0, err
	}
	if reread, err = l.loadProducers(); err != nil {
		return 0, err
	}
	if l.mu.renamed {
		l.mu.renamed = false
		return reread, l.fs.syncDir(l.dir)
	}
	return reread, nil
}

// loadEpochs reads the leader epochs; the log's own comes after them.
func (l *Log) loadEpochs() error {
	es, err := loadEpochs(l.fs, l.dir)
	if err != nil {
		l.mu.cfg.Logger.Warn("leader epochs are unusable, they begin anew", "log", l.name, "error", err)
	}
	l.appending.epochs = es.below(l.mu.end)
	l.epoch = max(l.mu.cfg.LeaderEpoch, es.last())
	return nil
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
	l.appending.producers.expire(l.mu.cfg.Now().Add(-l.mu.cfg.ProducerExpiry))
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
