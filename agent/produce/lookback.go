package produce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/internal/record"
)

// clocksApart is how far the clocks of this host and of a broker may be apart, where a
// time says from where on a log is read.
const clocksApart = time.Hour

// evidence is what a partition's own log shows of what was sent to it. Only what is
// replicated can be read, so it needs no confirmation.
type evidence struct {
	stored map[*flight]record.Offset // base offsets
	whole  bool                      // nothing of ours lies where it was not looked
	last   bool                      // the batch that the leader named last was seen, or is known
	taken  int64                     // records that were taken over, of those beyond what was ever begun
}

// beyond says whether the leader has more of us than was ever begun: the journal is
// older than the log. next is where the sequence goes on.
func beyond(k knowledge, next record.Producer) bool {
	if !k.found || k.epoch != next.Epoch {
		return k.found && k.epoch > next.Epoch
	}
	return !after(next.Sequence, k.last)
}

// unknown is how many records the leader has of us beyond what was ever begun, as far as
// it says.
func (k knowledge) unknown(next record.Producer) int64 {
	switch {
	case !beyond(k, next):
		return 0
	case k.epoch != next.Epoch:
		return int64(k.last) + 1
	}
	return (int64(k.last)-int64(next.Sequence))&0x7fffffff + 1
}

// names says whether the batch that the leader named last is one that is open, or none
// that was ever begun: then it must be seen. Else it was acknowledged.
func (k knowledge) names(flights []*flight, goesOn record.Producer) bool {
	return beyond(k, goesOn) || k.found && slices.ContainsFunc(flights, func(f *flight) bool {
		return f.Entry.Producer.Epoch == k.epoch && f.Entry.LastSequence() == k.last
	})
}

// lookBack reads the log from where the journal knows everything and finds the batches
// of our producer id by their headers (agent/DESIGN.md, rule 4): which of the flights
// are there, and what the journal does not know of, which the Framer takes over.
// next is the place of the first flight in the sequence, or where that goes on.
func (p *Partition) lookBack(ctx context.Context, l *link, k knowledge, flights []*flight, next record.Producer) (evidence, error) {
	log, err := p.c.openLog(ctx, l.addr, p.at)
	if err != nil {
		return evidence{}, err
	}
	defer log.conn.Close()
	from, end, whole, err := p.unknown(ctx, log, flights)
	if err != nil {
		return evidence{}, err
	}
	p.mu.Lock()
	moved, goesOn := p.mu.moved, p.mu.next
	p.mu.Unlock()
	e := evidence{stored: map[*flight]record.Offset{}, whole: whole, last: !k.names(flights, goesOn)}
	_, all, err := log.each(ctx, from, end, func(h record.Header, batch []byte) error {
		ours := h.ProducerID == next.ID
		if ours && h.ProducerEpoch == k.epoch && h.LastSequence() == k.last {
			e.last = true
		}
		if f := match(flights, h); f != nil {
			e.stored[f] = h.BaseOffset
			return nil
		}
		if !ours && !moved || h.Control() {
			return nil
		}
		if ours && h.ProducerEpoch == k.epoch && (k.epoch != goesOn.Epoch || !after(goesOn.Sequence, h.BaseSequence)) {
			e.taken += int64(h.Count)
		}
		// In a later life of a journal that was copied, the id may have been another.
		doubles, err := p.c.cfg.Framer.Found(p.at, batch, ours)
		p.c.doubles.Add(doubles)
		return err
	})
	e.whole = e.whole && all
	return e, err
}

// unknown is where what the journal may not know lies in the log; whole is false when
// the log does not reach back so far any more.
func (p *Partition) unknown(ctx context.Context, log logReader, flights []*flight) (from, end record.Offset, whole bool, err error) {
	p.mu.Lock()
	floor, since := p.mu.floor, p.mu.since
	p.mu.Unlock()
	start, end, err := log.bounds(ctx)
	if err != nil {
		return 0, 0, false, err
	}
	if floor >= 0 && floor < end { // else the log has lost its end, and the floor means nothing
		return max(start, floor+1), end, start <= floor+1, nil
	}
	if len(flights) > 0 {
		since = flights[0].first
	}
	if since.IsZero() {
		return start, end, start == 0, nil
	}
	from, err = log.since(ctx, since.Add(-clocksApart), end)
	from = max(from, start)
	return from, end, from > start || start == 0, err
}

// match is the flight that a stored batch is, nil for none.
func match(flights []*flight, h record.Header) *flight {
	i := slices.IndexFunc(flights, func(f *flight) bool {
		e := f.Entry
		return e.Producer.ID == h.ProducerID && e.Producer.Epoch == h.ProducerEpoch && e.Producer.Sequence == h.BaseSequence && e.Count == h.Count
	})
	if i < 0 {
		return nil
	}
	return flights[i]
}

// proves says whether what the log does not show is not stored.
func (e evidence) proves() bool { return e.whole && e.last }

// prove settles by the log itself what the leader's answer leaves open; ok is false when
// the log may not be read.
func (p *Partition) prove(ctx context.Context, l *link, k knowledge, flights []*flight, next record.Producer) (e evidence, ok bool, err error) {
	e, err = p.lookBack(ctx, l, k, flights, next)
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return evidence{}, false, nil
	case err != nil:
		return e, false, fmt.Errorf("looking for our batches in %s-%d: %w", p.at.Topic, p.at.Number, err)
	}
	if !e.last && p.waitsForReplicas(e.whole) {
		return e, false, fmt.Errorf("waiting until the replicas of %s-%d have what its leader has of us", p.at.Topic, p.at.Number)
	}
	for _, f := range flights {
		base, there := e.stored[f]
		if !there {
			continue
		}
		p.mu.Lock()
		p.settle(f, base)
		p.mu.Unlock()
		p.finish(f, base)
	}
	p.mu.Lock()
	p.mu.looked, p.mu.moved = 0, false
	p.mu.Unlock()
	return e, true, nil
}

// A batch that the leader names and that cannot be read is looked for so often, and for
// so long when the log shows no reason for it: it is in the leader's log and not yet in
// its replicas', or it was cut away.
const (
	proofTries = 6
	proofWait  = time.Minute
)

// waitsForReplicas counts the tries to find that batch.
func (p *Partition) waitsForReplicas(whole bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.looked == 0 {
		p.mu.lookedSince = time.Now()
	}
	p.mu.looked++
	return p.mu.looked <= proofTries || whole && time.Since(p.mu.lookedSince) < proofWait
}
