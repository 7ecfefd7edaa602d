package commitlog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// cleanedBuffer is how many bytes of a new segment gather before one write.
const cleanedBuffer = 1 << 20

// cleaned is a segment that compaction is writing, in a file that nothing reads yet.
type cleaned struct {
	log      *Log
	path     string
	f        disk.File
	segment  *segment // what it will be; shared with nobody before swapIn
	buf      []byte   // what has not been written
	written  int64    // bytes in the file
	interval int      // bytes between two index entries
	gone     []byte   // header of the last batch that was left out
	changed  bool     // it is not, byte for byte, what it was made of

	index, times, aborted []byte // entries; in memory until the old files are gone
}

// rewrite writes what stays of a group into one new segment and puts that in the
// group's place.
func (s *sweep) rewrite(group []source) error {
	c, err := s.log.newCleaned(group, s.cfg.IndexInterval)
	if err != nil {
		return err
	}
	defer c.discard()
	for _, src := range group {
		err := s.each(src, func(h record.Header, batch []byte) error { return s.rewriteBatch(c, h, batch) })
		if err != nil {
			return err
		}
		s.stats.Segments++
		s.stats.Before += src.size
	}
	if err := c.finish(group[len(group)-1].segment); err != nil {
		return err
	}
	s.stats.Left++
	s.stats.After += c.written
	if !c.changed {
		return nil
	}
	return s.log.swapIn(c, group)
}

// rewriteBatch puts what stays of one batch into the new segment.
func (s *sweep) rewriteBatch(c *cleaned, h record.Header, batch []byte) error {
	at := len(c.buf)
	var changed bool
	var err error
	if c.buf, changed, err = s.sift(c.buf, h, batch); err != nil {
		return err
	}
	c.changed = c.changed || changed
	if len(c.buf) == at {
		c.gone = append(c.gone[:0], batch[:record.HeaderSize]...)
	} else if err := c.note(at); err != nil {
		return err
	}
	s.txns.began(h)
	if h.Control() {
		s.txns.ended(h)
		// The entry stays as long as the marker, which is longer than the records: who
		// has just read those from the old file still finds that they were aborted.
		if e := s.txns.entry(h); e != nil && e.Last == h.LastOffset() && len(c.buf)-at > record.HeaderSize {
			c.aborted = append(c.aborted, e.bytes()...)
		}
	}
	if len(c.buf) >= cleanedBuffer {
		return c.flush()
	}
	return nil
}

// newCleaned begins the segment that is to replace group.
func (l *Log) newCleaned(group []source, interval int) (*cleaned, error) {
	first, last := group[0], group[len(group)-1]
	path := filepath.Join(l.dir, swapName(first.base, last.next, cleanedSuffix))
	f, err := l.fs.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, &StorageError{Op: "creating", Path: path, Err: err}
	}
	c := &cleaned{log: l, path: path, f: f, interval: interval, changed: len(group) > 1, segment: newSegment(l.fs, l.dir, first.base, &l.stamps)}
	c.segment.timed, c.segment.swap = true, filepath.Join(l.dir, swapName(first.base, last.next, swapSuffix))
	return c, nil
}

// note puts the batch that begins at byte at of the buffer into the indexes.
func (c *cleaned) note(at int) error {
	h, err := record.ParseHeader(c.buf[at:])
	if err != nil {
		return err
	}
	s, position := c.segment, c.written+int64(at)
	if position+int64(h.Size()) > 1<<31-1 {
		return fmt.Errorf("compressed anew a segment grows: %w", ErrTooLarge)
	}
	s.see(h)
	if s.sinceIndex > c.interval {
		c.index = append(c.index, indexEntry{h.LastOffset() - s.base, position}.bytes()...)
		c.noteTime()
		s.sinceIndex = 0
	}
	s.sinceIndex += h.Size()
	return nil
}

func (c *cleaned) noteTime() {
	if s := c.segment; s.latestTime > s.indexedTime {
		c.times = append(c.times, timeEntry{s.latestTime, s.latestLast - s.base}.bytes()...)
		s.indexedTime = s.latestTime
	}
}

func (c *cleaned) flush() error {
	if _, err := c.f.WriteAt(c.buf, c.written); err != nil {
		return &StorageError{Op: "writing", Path: c.path, Position: c.written, Err: err}
	}
	c.written += int64(len(c.buf))
	c.buf = c.buf[:0]
	return nil
}

// finish writes the rest and makes the file durable, as old as the last segment it
// was made of: retention goes by that.
func (c *cleaned) finish(last *segment) error {
	if c.written == 0 && len(c.buf) == 0 {
		// An empty segment would be the end of the log to its readers.
		var err error
		if c.buf, err = record.AppendEmpty(c.buf, c.gone); err != nil {
			return err
		}
		if err := c.note(0); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.noteTime()
	c.log.mu.RLock()
	c.segment.size, c.segment.firstWrite, c.segment.lastWrite = c.written, last.firstWrite, last.lastWrite
	c.log.mu.RUnlock()
	if err := c.log.fs.Chtimes(c.path, c.segment.lastWrite); err != nil {
		return &StorageError{Op: "dating", Path: c.path, Err: err}
	}
	// The old segments go for this one: it is on the disk before that.
	if err := c.f.Sync(); err != nil {
		return &StorageError{Op: "syncing", Path: c.path, Position: c.written, Err: err}
	}
	return nil
}

// discard removes the file unless swapIn has taken it over.
func (c *cleaned) discard() {
	if c.f == nil {
		return
	}
	c.f.Close()
	_ = c.log.fs.Remove(c.path)
}

// holds says whether the segments are the log's still.
func holds(segments []*segment, group []source) (at int, ok bool) {
	at = slices.Index(segments, group[0].segment)
	if at < 0 || at+len(group) > len(segments) {
		return 0, false
	}
	for i := range group {
		if segments[at+i] != group[i].segment {
			return 0, false
		}
	}
	return at, true
}
