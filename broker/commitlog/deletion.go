package commitlog

import (
	"runtime"
	"slices"

	"github.com/loghaul/loghaul/internal/record"
)

// Reason is why records were deleted, in one word.
type Reason string

// The reasons there are.
const (
	ReasonAge  Reason = "age"  // RetentionAge
	ReasonSize Reason = "size" // RetentionBytes
	ReasonRoom Reason = "room" // the disk has no room for more
	ReasonTrim Reason = "trim" // DeleteBefore: somebody asked for it
)

// Deletion is what went from a log's beginning. The records are gone for readers when it is told, the bytes from the
// disk; on a full disk the bytes may go later, and are told then with no records.
type Deletion struct {
	Log      string        // folder name, web_log-0
	From, To record.Offset // the records from From on and before To
	Bytes    int64         // of batches, indexes left out
	Reason   Reason
}

// noteStart writes down that the records before an offset are gone. The caller holds keeping.
func (l *Log) noteStart(from, to record.Offset, why Reason) {
	if to <= from {
		return
	}
	if d := l.noted(why); d != nil && d.To == from {
		d.To = to
		return
	}
	l.gone = append(l.gone, Deletion{Log: l.name, From: from, To: to, Reason: why})
}

// noteBytes writes down that a segment is gone from the disk. The caller holds keeping.
func (l *Log) noteBytes(n int64, end record.Offset, why Reason) {
	d := l.noted(why)
	if d == nil {
		l.gone = append(l.gone, Deletion{Log: l.name, From: end, To: end, Reason: why})
		d = &l.gone[len(l.gone)-1]
	}
	d.Bytes += n
}

// noted is the last deletion for a reason that nobody has been told of.
func (l *Log) noted(why Reason) *Deletion {
	for i := range slices.Backward(l.gone) {
		if l.gone[i].Reason == why {
			return &l.gone[i]
		}
	}
	return nil
}

// lease holds the files of segments open that are about to be unlinked: the last who lets go of a large file waits while
// its blocks are given back, and nobody shall wait with him. The caller holds keeping and ends with endDeleting.
func (l *Log) lease(segments []*segment) {
	if runtime.GOOS == "windows" {
		return // a file that is open cannot be removed there
	}
	for _, s := range segments {
		if f, err := s.acquire(); err == nil { // without it the removal takes its time
			l.leases = append(l.leases, f)
		}
	}
}

// endDeleting unlocks keeping, then tells what was deleted under it: whoever hears it may take its time, and look at
// this log.
func (l *Log) endDeleting() {
	gone, leases := l.gone, l.leases
	l.gone, l.leases = nil, nil
	l.keeping.Unlock()
	for _, f := range leases {
		f.release()
	}
	if len(gone) == 0 {
		return
	}
	l.mu.RLock()
	tell := l.mu.cfg.Deleted
	l.mu.RUnlock()
	if tell == nil {
		return
	}
	for _, d := range gone {
		tell(d)
	}
}
