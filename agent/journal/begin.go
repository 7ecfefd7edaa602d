package journal

import (
	"slices"

	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Begin writes down what is about to be sent and gives e its Seq. When it fails,
// because the disk is full for one, nothing has begun and nothing is forgotten:
// the caller holds the batch and tries again. e belongs to the journal afterwards.
func (j *Journal) Begin(e *Entry) error {
	defer j.syncID()
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq = j.mu.seqs + 1
	e.Begun = j.cfg.Now().Truncate(1e6)
	j.mu.scratch = appendFrame(j.mu.scratch[:0], kindBegin, e.appendWhole)
	if err := j.write(j.mu.scratch); err != nil {
		return err
	}
	j.mu.begin(e)
	return nil
}

// syncID puts on the disk that a partition goes by another producer id, before it does:
// after a power cut what it has is found by that id.
func (j *Journal) syncID() {
	j.mu.Lock()
	other := j.mu.otherID
	j.mu.otherID = false
	j.mu.Unlock()
	if !other {
		return
	}
	if err := j.Sync(); err != nil {
		j.cfg.Logger.Error("the journal could not be synced; it goes on, and a power cut now may cost doubles", "err", err)
	}
}

// Done writes down that a batch is acknowledged, at offset or, when that is not
// known, at -1. It cannot fail: without room it is remembered and written later.
func (j *Journal) Done(seq Seq, offset record.Offset) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.scratch = appendFrame(j.mu.scratch[:0], kindDone, func(b []byte) []byte {
		return putInt(putUint(b, uint64(seq)), int64(offset))
	})
	j.fact(j.mu.scratch)
	j.mu.done(seq, offset)
}

// Skip writes down that the bytes from..to of a generation were left out on purpose
// and that no record follows them yet; from is where the last range or skip ended.
// left is why, as far as no range and no skip has counted it.
func (j *Journal) Skip(ref Ref, from, to line.Position, left Skips) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.scratch = appendFrame(j.mu.scratch[:0], kindSkip, func(b []byte) []byte {
		return left.append(putInt(putInt(putUint(b, uint64(ref)), int64(from)), int64(to)))
	})
	if err := j.write(j.mu.scratch); err != nil {
		return err
	}
	j.mu.skip(ref, span{from, to}, left)
	return nil
}

// Replace forgets batches that are proven not to be stored, or whose storing cannot
// be proven, and begins others over the same bytes, in one write.
func (j *Journal) Replace(old []Seq, fresh []*Entry) error {
	defer j.syncID()
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.cfg.Now().Truncate(1e6)
	for i, e := range fresh {
		e.Seq, e.Begun = j.mu.seqs+1+Seq(i), now
	}
	frame := appendFrame(nil, kindReplace, func(b []byte) []byte {
		b = putUint(b, uint64(len(old)))
		for _, seq := range old {
			b = putUint(b, uint64(seq))
		}
		b = putUint(b, uint64(len(fresh)))
		for _, e := range fresh {
			b = e.append(b)
		}
		return appendSkips(b, fresh...)
	})
	if err := j.write(frame); err != nil {
		return err
	}
	j.mu.replace(old, fresh)
	return nil
}

// Lost gives a batch up: n of its bytes were never stored and are nowhere to be
// found any more. They are counted on its first generation.
func (j *Journal) Lost(seq Seq, n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fact(appendFrame(nil, kindLost, func(b []byte) []byte { return putInt(putUint(b, uint64(seq)), n) }))
	j.mu.lost(seq, n)
}

// InDoubt lists the batches that were begun and not acknowledged, by partition in
// the order in which they were begun. The entries are shared and never change.
func (j *Journal) InDoubt() map[Partition][]*Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[Partition][]*Entry{}
	for _, e := range j.mu.open {
		out[e.Partition] = append(out[e.Partition], e)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b *Entry) int { return int(int64(a.Seq) - int64(b.Seq)) })
	}
	return out
}
