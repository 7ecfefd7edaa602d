package commitlog

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"

	"github.com/loghaul/loghaul/internal/record"
)

// The index of aborted transactions has no checksum, and an entry that is missing shows
// a reader of committed records what was taken back. So a recovery point says how many
// there are in each segment, and their sum:
//
//	aborted 40 2 0a1b2c3d    in the segment that begins at 40: two entries below the point, their CRC32C

// abortedSum is what is known of the entries of one segment.
type abortedSum struct {
	count int // the first of them
	crc   uint32
}

// abortedSums is that of all segments with entries; below which offset it tells of all.
type abortedSums struct {
	mu struct {
		sync.Mutex
		of    map[record.Offset]abortedSum // by the segment's base
		below record.Offset
		known bool // a recovery point has said something
	}
}

// vouched says whether anything was known of the entries before; from now on it is.
func (t *abortedSums) vouched() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.mu.known
	t.mu.known = true
	return known
}

// load takes over what a recovery point says.
func (t *abortedSums) load(c *checkpoint) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.of, t.mu.below, t.mu.known = map[record.Offset]abortedSum{}, c.end, true
	if c.former {
		t.mu.below = 0 // nothing is known: entries are held against their markers alone
	}
	for line := range strings.Lines(c.aborted) {
		var base record.Offset
		var sum abortedSum
		if _, err := fmt.Sscanf(line, "aborted %d %d %x\n", &base, &sum.count, &sum.crc); err != nil {
			return fmt.Errorf("damaged checkpoint: %q: %w", line, err)
		}
		t.mu.of[base] = sum
	}
	return nil
}

// get is what is known of a segment's entries, and below which offset there are no others.
func (t *abortedSums) get(base record.Offset) (abortedSum, record.Offset) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.of[base], t.mu.below
}

// put notes the entries of a segment as they are known to be right.
func (t *abortedSums) put(base record.Offset, sum abortedSum) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.of == nil {
		t.mu.of = map[record.Offset]abortedSum{}
	}
	if t.mu.of[base] = sum; sum.count == 0 {
		delete(t.mu.of, base)
	}
}

// lines is how a recovery point says it, of these segments.
func (t *abortedSums) lines(segments []*segment) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mu.of) == 0 {
		return ""
	}
	var b []byte
	for _, s := range segments {
		if sum, ok := t.mu.of[s.base]; ok {
			b = fmt.Appendf(b, "aborted %d %d %08x\n", s.base, sum.count, sum.crc)
		}
	}
	return string(b)
}

// sumOf is the sum of entries that lie in memory.
func sumOf(built []byte) abortedSum {
	return abortedSum{len(built) / abortedWidth, crc32.Checksum(built, castagnoli)}
}

// sumAborted brings up to date what is known of the segments that a recovery point is
// to cover. What is found wrong meanwhile stays as it was known, to be found again.
func (l *Log) sumAborted(segments []*segment, end record.Offset) error {
	for _, s := range segments {
		if !s.aborted.any() || l.checkAborted(s) != nil {
			continue
		}
		var sum abortedSum
		err := s.aborted.from(func([]byte) bool { return false }, func(b []byte) error {
			if parseAborted(b).Last >= end {
				return errFound
			}
			sum.count, sum.crc = sum.count+1, crc32.Update(sum.crc, castagnoli, b)
			return nil
		})
		if err != nil {
			return err
		}
		l.sums.put(s.base, sum)
	}
	return nil
}

// checkAborted holds the entries of a segment that were read from the disk against
// what the recovery point knew of them, once, and those that came behind it against the
// markers they name.
func (l *Log) checkAborted(s *segment) error {
	if s.abortedDoubt.Load() {
		return errDoubt
	}
	if s.markersKnown.Load() {
		return nil
	}
	want, below := l.sums.get(s.base)
	l.mu.RLock()
	high := l.mu.high
	i := slices.Index(l.mu.segments, s)
	next := high
	if i >= 0 && i+1 < len(l.mu.segments) {
		next = l.mu.segments[i+1].base
	}
	l.mu.RUnlock()
	var got abortedSum
	before := record.Offset(-1)
	err := s.aborted.from(func([]byte) bool { return false }, func(b []byte) error {
		e := parseAborted(b)
		if !e.sane(b, s, before) || e.Last >= next && e.Last < high {
			return errDoubt
		}
		before = e.Last
		if got.count < want.count {
			got.count, got.crc = got.count+1, crc32.Update(got.crc, castagnoli, b)
			return nil
		}
		if e.Last < below {
			return errDoubt
		}
		return l.checkEntry(s, e)
	})
	if err == nil && got != want {
		err = errDoubt
	}
	if err == nil {
		s.markersKnown.Store(true)
	}
	return err
}

// checkEntry holds an entry against the marker it names, unless that is not durable.
func (l *Log) checkEntry(s *segment, e abortedEntry) error {
	found := false
	err := l.walkDurable(s, e.Last, func(_ *handle, _ int64, h record.Header) error {
		found = h.LastOffset() == e.Last && h.Control() && h.ProducerID == e.ProducerID
		return errFound
	})
	if err == nil && !found && e.Last < l.HighWatermark() {
		return errDoubt
	}
	return err
}
