package commitlog

import (
	"io"
	"slices"
	"sync/atomic"

	"github.com/loghaul/loghaul/internal/record"
)

// A batch's checksum covers neither its base offset nor its leader epoch, which the
// log stamps into it, and readers go by them. So they are held against what is known
// besides: offsets follow each other, but where a compaction has left some out, and
// epochs begin where leader-epoch-checkpoint says.
//
// A header is looked at when its batch is read for the first time after a start, once,
// unless recovery has looked at it or this process has written it.

// stamps is what is known of the batches of one log; shared by its segments.
type stamps struct {
	gaps   atomic.Int64           // below this offset compactions may have left offsets out
	epochs atomic.Pointer[epochs] // nil: not known
	known  atomic.Int64           // the epochs are known of offsets below this one
	votes  epochVotes             // of recovery, about those behind it

	damages *damages // the log's
}

// chain follows the batches of a log, one after the other.
type chain struct {
	stamps *stamps
	next   record.Offset // where the next batch begins; -1: not known
}

// follow is *damage when a batch cannot lie where it does.
func (c *chain) follow(h record.Header) error {
	if c.next >= 0 && h.BaseOffset != c.next && !c.stamps.gap(c.next, h.BaseOffset) {
		return damaged("batch offset %d, expected %d", h.BaseOffset, c.next)
	}
	if err := c.stamps.epochOf(h); err != nil {
		return err
	}
	c.next = h.NextOffset()
	return nil
}

// epochOf is *damage when another epoch has written at the batch's offset.
func (st *stamps) epochOf(h record.Header) error {
	es := st.epochs.Load()
	if es == nil || int64(h.BaseOffset) >= st.known.Load() {
		return nil
	}
	if want := es.at(h.BaseOffset); want >= 0 && h.LeaderEpoch != want {
		return damaged("leader epoch %d of the batch at offset %d, %s says %d", h.LeaderEpoch, h.BaseOffset, epochsFile, want)
	}
	return nil
}

// gap says whether the offsets from one on and below another may be missing.
func (st *stamps) gap(from, to record.Offset) bool {
	return from <= to && int64(to) <= st.gaps.Load()
}

// allow says that offsets below one may be missing from now on.
func (st *stamps) allow(below record.Offset) {
	for {
		was := st.gaps.Load()
		if int64(below) <= was || st.gaps.CompareAndSwap(was, int64(below)) {
			return
		}
	}
}

// at is the epoch that wrote the record at offset, -1: not known.
func (es epochs) at(offset record.Offset) int32 {
	for _, e := range slices.Backward(es) {
		if e.start <= offset {
			return e.epoch
		}
	}
	return -1
}

// unchecked is how far into a segment lie batches whose headers nobody has looked at
// since the start: those between from and to. The lower edge rises as they are read in
// order.
type unchecked struct {
	from, to atomic.Int64
}

// checkChain looks at the headers of the batches between two positions, edges of
// batches, if nobody has. before is where the batch ahead of the first one ends, -1
// where that is not known. sound is where the first bad one begins, and next the offset
// behind those before it.
func (s *segment) checkChain(h *handle, pos, end int64, before record.Offset) (sound int64, next record.Offset, err error) {
	from, to := s.unchecked.from.Load(), min(end, s.unchecked.to.Load())
	if pos >= to || end <= from {
		return end, before, nil
	}
	c := chain{stamps: s.stamps, next: before}
	err = walkOver(h, s.path(logSuffix), pos, to, func(w *walker) error {
		for {
			at := w.pos
			sound = at
			hdr, err := w.next()
			if err == nil {
				err = c.follow(hdr)
			}
			if err != nil {
				return s.place(err, at)
			}
		}
	})
	if err != io.EOF {
		return sound, c.next, err
	}
	if pos <= from { // and what lies before is known already
		s.unchecked.from.CompareAndSwap(from, max(from, to))
	}
	return end, c.next, nil
}

// missing says that the offsets between a segment's end and the next one are lost.
func (l *Log) missing(s *segment, from, next record.Offset) error {
	return &StorageError{Op: "reading", Path: s.path(logSuffix), Position: s.size, Err: damaged(
		"offsets %d to %d are missing, %s begins behind them: put the lost segment back, or give its records up with `loghaul topic trim`",
		from, next-1, segmentName(next, logSuffix))}
}
