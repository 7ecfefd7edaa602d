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
	ID               int64
	Epoch            int16
	LastSequence     int32         // -1: none in this epoch
	LastTimestamp    int64         // wall clock of the last append, ms since 1970
	TxnStart         record.Offset // first record of its open transaction, -1: none
	CoordinatorEpoch int32         // of its last marker, -1: none
}

// producers holds the sequences of one log's idempotent producers; guarded by
// Log.appending.
type producers struct {
	byID map[int64]*producer
}

// producer is one id's newest epoch and its last batches.
type producer struct {
	epoch            int16
	n                int // batches remembered
	batches          [remembered]sent
	lastWrite        int64         // wall clock, ms
	txnStart         record.Offset // first record of the open transaction; noTxn
	txnSince         int64         // wall clock of that append, ms
	coordinatorEpoch int32         // of the last marker; -1: none
}

// newProducer is a producer that nothing is known of yet.
func newProducer(epoch int16) *producer {
	return &producer{epoch: epoch, txnStart: noTxn, coordinatorEpoch: -1}
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
// Sequence -1 is the broker's own, which numbers nothing. A producer with an open
// transaction writes only into that.
func (ps *producers) check(h record.Header, m *Marker, end record.Offset) (dup *sent, err error) {
	p := ps.byID[h.ProducerID]
	if h.ProducerID < 0 {
		return nil, nil
	}
	if p != nil && h.ProducerEpoch < p.epoch {
		return nil, fmt.Errorf("producer %d sends epoch %d, the log has seen %d: %w", h.ProducerID, h.ProducerEpoch, p.epoch, ErrInvalidProducerEpoch)
	}
	if h.Control() {
		return nil, p.checkMarker(m)
	}
	if dup, err = p.checkSequence(h, end); dup != nil || err != nil {
		return dup, err
	}
	if p != nil && p.txnStart >= 0 && !h.Transactional() {
		return nil, fmt.Errorf("producer %d writes outside its transaction, which is open since offset %d: %w", h.ProducerID, p.txnStart, ErrInvalidTxnState)
	}
	return nil, nil
}

// checkSequence is check's part about numbers; p is nil for an unknown producer.
func (p *producer) checkSequence(h record.Header, end record.Offset) (dup *sent, err error) {
	want := int32(0)
	switch {
	case h.BaseSequence < 0:
		return nil, nil
	case p == nil && end > 0:
		return nil, nil
	case p != nil && h.ProducerEpoch == p.epoch:
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

// checkMarker fences a coordinator that was replaced.
func (p *producer) checkMarker(m *Marker) error {
	if p == nil || m == nil || m.CoordinatorEpoch >= p.coordinatorEpoch {
		return nil
	}
	return fmt.Errorf("coordinator epoch %d ends a transaction of producer %d, the log has seen %d: %w",
		m.CoordinatorEpoch, m.ProducerID, p.coordinatorEpoch, ErrCoordinatorFenced)
}

// txnChange is what a batch did to its producer's transaction.
type txnChange struct {
	began, ended, aborted bool
	first                 record.Offset // of the transaction that ended
}

// add remembers a batch that is in the log at h.BaseOffset; limit bounds the
// number of producers. m is what a control batch says, nil: nothing.
func (ps *producers) add(h record.Header, m *Marker, now int64, limit int) (c txnChange) {
	if h.ProducerID < 0 {
		return c
	}
	p := ps.byID[h.ProducerID]
	if p == nil {
		if len(ps.byID) >= limit {
			ps.shed(limit)
		}
		p = newProducer(h.ProducerEpoch)
		ps.byID[h.ProducerID] = p
	}
	if h.ProducerEpoch != p.epoch {
		p.epoch, p.n = h.ProducerEpoch, 0
	}
	p.lastWrite = now
	switch {
	case m != nil:
		c = txnChange{ended: p.txnStart >= 0, aborted: !m.Commit, first: p.txnStart}
		p.txnStart, p.txnSince, p.coordinatorEpoch = noTxn, 0, m.CoordinatorEpoch
	case h.Control():
	default:
		p.remember(h)
		if h.Transactional() && p.txnStart < 0 {
			p.txnStart, p.txnSince, c.began = h.BaseOffset, now, true
		}
	}
	return c
}

// remember puts the batch behind the ones that are known again.
func (p *producer) remember(h record.Header) {
	if h.BaseSequence < 0 {
		return
	}
	if p.n == remembered {
		copy(p.batches[:], p.batches[1:])
		p.n--
	}
	p.batches[p.n] = sent{h.BaseSequence, h.LastSequence(), h.BaseOffset}
	p.n++
}

// shed forgets the eighth of the producers that has been silent the longest, but
// none in the middle of a transaction: those are bounded by their timeouts.
func (ps *producers) shed(limit int) {
	writes := make([]int64, 0, len(ps.byID))
	for _, p := range ps.byID {
		if p.txnStart < 0 {
			writes = append(writes, p.lastWrite)
		}
	}
	slices.Sort(writes)
	n := min(limit/8+1, len(writes))
	for id, p := range ps.byID {
		if n > 0 && p.txnStart < 0 && p.lastWrite <= writes[min(limit/8, len(writes)-1)] {
			delete(ps.byID, id)
			n--
		}
	}
}

// expire forgets who has not appended since the given wall clock time. Record
// times play no part: they may be days old in a log that is read in late. Who has
// an open transaction stays.
func (ps *producers) expire(before time.Time) {
	for id, p := range ps.byID {
		if p.txnStart < 0 && p.lastWrite < before.UnixMilli() {
			delete(ps.byID, id)
		}
	}
}

// list is a copy for DescribeProducers, by id.
func (ps *producers) list() []ProducerState {
	out := make([]ProducerState, 0, len(ps.byID))
	for id, p := range ps.byID {
		out = append(out, ProducerState{id, p.epoch, p.lastSequence(), p.lastWrite, p.txnStart, p.coordinatorEpoch})
	}
	slices.SortFunc(out, func(a, b ProducerState) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}
