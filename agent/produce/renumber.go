package produce

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/record"
)

// renumber gives everything that waits a new place in the sequence, from first on,
// journaled before anything is sent under it. unproven: some of it may be stored
// already, and then it will be there twice, which is counted.
func (p *Partition) renumber(first record.Producer, unproven bool) error {
	if first.Epoch < 0 { // after 32767 epochs
		p.mu.Lock()
		p.mu.fenced = true
		p.mu.Unlock()
		return fmt.Errorf("%s-%d has used up the epochs of its producer id", p.at.Topic, p.at.Number)
	}
	return p.replace(first, nil, nil, unproven)
}

// replace journals and installs the flights anew: old, when given, becomes fresh, and
// all of them are numbered from first on. It holds the turn, so that no batch is
// sealed with the old numbers meanwhile.
func (p *Partition) replace(first record.Producer, old *flight, fresh []*flight, unproven bool) error {
	<-p.turn
	defer p.giveBack()
	p.mu.Lock()
	before, topic := slices.Clone(p.mu.flights), p.mu.topicID
	p.mu.Unlock()
	after := before
	if i := slices.Index(before, old); i >= 0 {
		after = slices.Concat(before[:i:i], fresh, before[i+1:])
	}
	next, seqs, entries, doubles := first, []journal.Seq(nil), []*journal.Entry(nil), 0
	var twice []*journal.Entry
	for _, f := range before {
		seqs = append(seqs, f.Entry.Seq)
		if f.touched && unproven {
			doubles += int(f.Entry.Count)
			twice = append(twice, f.Entry)
		}
	}
	for _, f := range after {
		e := *f.Entry // entries are shared and never change
		e.Producer, e.TopicID = next, topic
		next.Sequence = record.AddSequence(next.Sequence, e.Count)
		entries = append(entries, &e)
	}
	if err := p.c.cfg.Journal.Replace(seqs, entries); err != nil {
		return err
	}
	for _, e := range twice {
		p.c.cfg.Doubled(e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().UnixMilli()
	for i, f := range after {
		if f.Entry.Producer.ID != entries[i].Producer.ID || f.Entry.Producer.Epoch != entries[i].Producer.Epoch {
			f.touched, f.again = false, false // under its new name it was never sent
		}
		f.Entry = entries[i]
		if f.Bytes != nil {
			record.SetTimes(f.Bytes, now, now)
			record.SetProducer(f.Bytes, entries[i].Producer)
		}
	}
	if first.ID != p.mu.next.ID || first.Epoch != p.mu.next.Epoch {
		p.mu.highest = -1 // no sequence of it has been used: an offset below says nothing but that the log lost its end
	}
	p.mu.flights, p.mu.next = after, next
	p.c.count(len(after) - len(before))
	if doubles > 0 {
		p.c.doubles.Add(int64(doubles))
		p.c.log.Warn("records are sent again without proof that they are missing", "topic", p.at.Topic, "partition", p.at.Number, "possible_doubles", doubles)
	}
	return nil
}

// renew takes a new producer id: the old one is used by somebody else, or its epochs
// are used up. unproven is as for renumber.
func (p *Partition) renew(unproven bool) error {
	id, err := p.c.producerID()
	if err != nil {
		return err
	}
	p.c.log.Warn("going on under a new producer id", "topic", p.at.Topic, "partition", p.at.Number, "id", id)
	p.mu.Lock()
	p.mu.id = id
	p.mu.Unlock()
	return p.renumber(record.Producer{ID: id}, unproven)
}

// reframe makes anew what the files still hold of a batch that is proven not to be
// stored, in a new epoch: a late copy of the old one is then refused.
func (p *Partition) reframe(f *flight, why error) error {
	parts, lost, err := p.c.cfg.Framer.Reframe(f.Entry)
	if err != nil {
		return err
	}
	p.c.log.Warn("a batch could not be sent again as it was", "topic", p.at.Topic, "partition", p.at.Number, "err", why, "lost_bytes", lost)
	if len(parts) == 0 {
		p.c.cfg.Journal.Lost(f.Entry.Seq, lost)
		p.mu.Lock()
		if i := slices.Index(p.mu.flights, f); i >= 0 {
			p.mu.flights = slices.Delete(p.mu.flights, i, i+1)
		}
		p.mu.Unlock()
		p.c.count(-1)
		f, parts = nil, nil
	}
	p.mu.Lock()
	next := p.mu.next
	if len(p.mu.flights) > 0 {
		next = p.mu.flights[0].Entry.Producer
	}
	p.mu.Unlock()
	if next.Epoch == math.MaxInt16 {
		return p.renumber(record.Producer{ID: next.ID, Epoch: -1}, false)
	}
	return p.replace(record.Producer{ID: next.ID, Epoch: next.Epoch + 1}, f, asFlights(parts, f), false)
}

// large is the first batch that was refused as too large, nil when there is none.
func (p *Partition) large() *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.mu.flights {
		if f.large {
			return f
		}
	}
	return nil
}

// split makes two batches of f, which is too large. Their sequences are those of the
// one, so nothing around them changes.
func (p *Partition) split(f *flight) error {
	if f == nil {
		return nil
	}
	parts, err := p.c.cfg.Framer.Split(f.Entry, f.Bytes)
	if err != nil {
		return err
	}
	p.mu.Lock()
	first := p.mu.flights[0].Entry.Producer
	p.mu.Unlock()
	return p.replace(first, f, asFlights(parts, f), false)
}

// splitOrStick is split, which only a person can help when f is a single record.
func (p *Partition) splitOrStick(f *flight) error {
	err := p.split(f)
	if errors.Is(err, ErrTooSmall) {
		return stuck(p.at.Topic, fmt.Errorf("a single record does not fit: %w", kerr.MessageTooLarge))
	}
	return err
}

// asFlights are the parts of old, whose last one answers for it.
func asFlights(parts []Part, old *flight) []*flight {
	var out []*flight
	for i, part := range parts {
		f := &flight{Batch: Batch{Entry: part.Entry, Bytes: part.Bytes}, alone: old.alone, first: old.first}
		if i == len(parts)-1 {
			f.Done = old.Done
		}
		out = append(out, f)
	}
	return out
}
