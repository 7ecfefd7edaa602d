package commitlog

import (
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// SegmentInfo is one segment as ListOffsets version 0 knows it.
type SegmentInfo struct {
	Base    record.Offset // first offset that may be read in it
	Size    int64         // bytes of batches
	Written time.Time     // the last append
}

// Segments lists the segments, oldest first.
func (l *Log) Segments() []SegmentInfo {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var out []SegmentInfo
	for _, s := range l.mu.segments {
		out = append(out, SegmentInfo{Base: max(s.base, l.mu.start), Size: s.size, Written: s.lastWrite})
	}
	return out
}

// EpochAt is the leader epoch that wrote the record at offset, or will write it; -1 when the log does not know.
func (l *Log) EpochAt(offset record.Offset) int32 {
	l.appending.Lock()
	es, end := l.appending.epochs, l.appending.end
	l.appending.Unlock()
	if offset >= end {
		return l.epoch
	}
	for _, e := range slices.Backward(es) {
		if e.start <= offset {
			return e.epoch
		}
	}
	return -1
}
