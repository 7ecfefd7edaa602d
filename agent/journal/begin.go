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
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq = j.mu.seqs + 1
	e.Begun = j.cfg.Now().Truncate(1e6)
	j.mu.scratch = appendFrame(j.mu.scratch[:0], kindBegin, e.append)
	if err := j.write(j.mu.scratch); err != nil {
		return err
	}
	j.mu.begin(e)
	return nil
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
func (j *Journal) Skip(ref Ref, from, to line.Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.scratch = appendFrame(j.mu.scratch[:0], kindSkip, func(b []byte) []byte {
		return putInt(putInt(putUint(b, uint64(ref)), int64(from)), int64(to))
	})
	if err := j.write(j.mu.scratch); err != nil {
		return err
	}
	j.mu.skip(ref, span{from, to})
	return nil
}

// Replace forgets batches that are proven not to be stored, or whose storing cannot
// be proven, and begins others over the same bytes, in one write.
func (j *Journal) Replace(old []Seq, fresh []*Entry) error {
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
		return b
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
