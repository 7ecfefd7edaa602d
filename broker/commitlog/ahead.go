package commitlog

import (
	"errors"
	"math"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

const (
	// mostAhead is how much room is laid out at a time behind a fast log's end: batches that
	// are written into it cost the file system a fifth less, and their sync too.
	mostAhead = 16 << 20
	// leastAhead is what is not worth it.
	leastAhead = 1 << 20
	// aheadShare bounds it by the size of segments, which a disk budget bounds: what all
	// logs have laid out stays below the budget's reserve.
	aheadShare = 16
	// aheadLogs is how many logs have room laid out at the same time.
	aheadLogs = 16
	// aheadRate is how many bytes a second make a log a fast one.
	aheadRate = 8 << 20
	// idleAhead is when a log has to give its room back that nobody writes to.
	idleAhead = time.Minute
	// slowAhead is how long laying room out may take: whoever writes to the log waits for it.
	// A disk that takes longer, because it is nearly full or in pieces, is not asked again for
	// this segment.
	slowAhead = 20 * time.Millisecond
)

// ahead is the room that is laid out on the disk behind the active segment's end. It is no
// part of the file: neither its length nor its bytes tell of it. Guarded by Log.appending.
type ahead struct {
	to    int64     // position up to which there is room; 0: there is none
	look  int64     // size that the segment may reach before more is thought of
	since time.Time // when that was done last
	among bool      // the log is one of those that may have room
}

// layAhead has room laid out for so many bytes and what comes behind them, if the log is a
// fast one. The caller holds appending. What cannot be had is done without.
func (l *Log) layAhead(s *segment, f disk.File, bytes int, cfg *Config) {
	a := &l.appending.ahead
	end := s.size + int64(bytes)
	if end <= a.look || l.syncer == nil {
		return
	}
	chunk := min(mostAhead, cfg.SegmentBytes/aheadShare)
	now := cfg.Now()
	took := now.Sub(a.since)
	fast := took >= 0 && took < time.Duration(chunk)*time.Second/aheadRate
	a.since, a.look = now, end+chunk
	r, can := f.(disk.Reserver)
	can = can && !cfg.Compact // no disk budget bounds the segments of those
	if !can || chunk < leastAhead || !fast || !l.enterAhead() {
		if a.to <= s.size {
			l.leaveAhead()
		}
		return
	}
	from, to := max(s.size, a.to), min(end+chunk, max(cfg.SegmentBytes, end))
	if a.look = max(from, to); to <= from {
		return
	}
	err := r.Reserve(from, to-from)
	if !errors.Is(err, disk.ErrNoReserve) {
		a.to = to // one that failed may have laid out a part
	}
	if err != nil {
		l.letGoAhead(s)
	}
	if err != nil || cfg.Now().Sub(now) > slowAhead {
		a.look = math.MaxInt64 // not for this segment
	}
}

// enterAhead says whether the log may have room laid out: not too many others have. The
// caller holds appending.
func (l *Log) enterAhead() bool {
	a := &l.appending.ahead
	if !a.among {
		if a.among = l.syncer.ahead.Add(1) <= aheadLogs; !a.among {
			l.syncer.ahead.Add(-1)
		}
	}
	return a.among
}

// leaveAhead lets another log have room laid out. The caller holds appending.
func (l *Log) leaveAhead() {
	if l.appending.ahead.among {
		l.syncer.ahead.Add(-1)
		l.appending.ahead.among = false
	}
}

// letGoAhead gives the room behind the active segment's end back to the disk. The caller holds
// appending.
func (l *Log) letGoAhead(s *segment) {
	if l.appending.ahead.to > s.size {
		s.letGoRoom()
	}
	l.leaveAhead()
	l.appending.ahead = ahead{since: l.appending.ahead.since}
}

// letGoOld gives back what a crash has left behind the end of the segment that was written
// to, or that one and the one before, which was just sealed. Others that take more than
// their length have that from the file system itself, which keeps two copies, say.
func (l *Log) letGoOld() {
	for _, s := range l.mu.segments[max(0, len(l.mu.segments)-2):] {
		if s.behind < leastAhead/2 {
			continue
		}
		s.letGoRoom()
		// The time of the last write is what age goes by, and that was none.
		_ = l.fs.Chtimes(s.file(), s.lastWrite)
	}
}

// letGoRoom gives back what the file has on the disk behind its end; nobody writes to it
// meanwhile. What cannot be given back stays until the segment goes.
func (s *segment) letGoRoom() {
	f, err := s.acquire()
	if err != nil {
		return
	}
	defer f.release()
	if info, err := f.Stat(); err == nil {
		_ = f.Truncate(info.Size()) // its length stays what it is
	}
}
