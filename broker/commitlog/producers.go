package commitlog

import (
	"fmt"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// remembered is how many of a producer's batches are known again when they come
// twice. Clients keep at most five in flight.
const remembered = 8

// ProducerState is what the log knows of one idempotent producer, as Kafka's
// DescribeProducers tells it.
type ProducerState struct {
	ID            int64
	Epoch         int16
	LastSequence  int32 // -1: none in this epoch
	LastTimestamp int64 // wall clock of the last append, ms since 1970
}

// producers holds the sequences of one log's idempotent producers; guarded by
// Log.appending.
type producers struct {
	byID map[int64]*producer
}

// producer is one id's newest epoch and its last batches.
type producer struct {
	epoch     int16
	n         int // batches remembered
	batches   [remembered]sent
	lastWrite int64 // wall clock, ms
}

// sent is a batch that is in the log; newest last in producer.batches.
type sent struct {
	first, last int32 // sequences, which wrap at 2^31
	base        record.Offset
}

func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return -1
	}
	return p.batches[p.n-1].last
}

// check says whether a batch may be appended, by the order of Kafka's
// ProducerAppendInfo (KIP-98, KIP-360) and KAFKA-15591: known again is a
// duplicate, whose bytes are not compared; an older epoch is fenced; a newer one
// begins at sequence 0; an unknown producer may begin anywhere, except in a log
// that was never written (end 0); else sequences are gapless, 0 after 2^31-1.
func (ps *producers) check(h record.Header, end record.Offset) (dup *sent, err error) {
	p := ps.byID[h.ProducerID]
	if h.ProducerID < 0 {
		return nil, nil
	}
	want := int32(0)
	switch {
	case p == nil && end > 0 && h.BaseSequence >= 0, p == nil && h.Control():
		return nil, nil
	case p == nil:
	case h.ProducerEpoch < p.epoch:
		return nil, fmt.Errorf("producer %d sends epoch %d, the log has seen %d: %w", h.ProducerID, h.ProducerEpoch, p.epoch, ErrInvalidProducerEpoch)
	case h.Control():
		return nil, nil
	case h.ProducerEpoch == p.epoch:
		for i := range p.n {
			if s := &p.batches[i]; s.first == h.BaseSequence && s.last == h.LastSequence() {
				return s, nil
			}
		}
		want = record.AddSequence(p.lastSequence(), 1)
	}
	if h.BaseSequence != want {
		return nil, fmt.Errorf("producer %d epoch %d sends sequence %d, expected %d: %w", h.ProducerID, h.ProducerEpoch, h.BaseSequence, want, ErrOutOfOrderSequence)
	}
	return nil, nil
}

// add remembers a batch that is in the log at h.BaseOffset; limit bounds the
// number of producers.
func (ps *producers) add(h record.Header, now int64, limit int) {
	if h.ProducerID < 0 {
		return
	}
	p := ps.byID[h.ProducerID]
	if p == nil {
		if len(ps.byID) >= limit {
			ps.shed(limit)
		}
		p = &producer{epoch: h.ProducerEpoch}
		ps.byID[h.ProducerID] = p
	}
	if h.ProducerEpoch != p.epoch {
		p.epoch, p.n = h.ProducerEpoch, 0
	}
	p.lastWrite = now
	if h.Control() {
		return
	}
	if p.n == remembered {
		copy(p.batches[:], p.batches[1:])
		p.n--
	}
	p.batches[p.n] = sent{h.BaseSequence, h.LastSequence(), h.BaseOffset}
	p.n++
}

// shed forgets the eighth of the producers that has been silent the longest.
func (ps *producers) shed(limit int) {
	writes := make([]int64, 0, len(ps.byID))
	for _, p := range ps.byID {
		writes = append(writes, p.lastWrite)
	}
	slices.Sort(writes)
	n := min(limit/8+1, len(writes))
	for id, p := range ps.byID {
		if n > 0 && p.lastWrite <= writes[min(limit/8, len(writes)-1)] {
			delete(ps.byID, id)
			n--
		}
	}
}

// expire forgets who has not appended since the given wall clock time. Record
// times play no part: they may be days old in a log that is read in late.
func (ps *producers) expire(before time.Time) {
	for id, p := range ps.byID {
		if p.lastWrite < before.UnixMilli() {
			delete(ps.byID, id)
		}
	}
}

// list is a copy for DescribeProducers, by id.
func (ps *producers) list() []ProducerState {
	out := make([]ProducerState, 0, len(ps.byID))
	for id, p := range ps.byID {
		out = append(out, ProducerState{id, p.epoch, p.lastSequence(), p.lastWrite})
	}
	slices.SortFunc(out, func(a, b ProducerState) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}
