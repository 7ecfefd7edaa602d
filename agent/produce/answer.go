package produce

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/internal/record"
)

// answered takes over what the broker says about a batch that was on the wire.
func (p *Partition) answered(f *flight, a answer) {
	p.mu.Lock()
	f.onWire = false
	p.mu.wired--
	v := judge(a.code)
	acknowledged, held := false, !p.mu.firm
	switch {
	case v == stored && !f.again && a.code != 0:
		p.mu.fenced = true
		p.stop(fmt.Errorf("%s-%d says that it has a batch which was never sent before: its sequence had been used: %w", p.at.Topic, p.at.Number, kerr.ErrorForCode(a.code)), fenced)
	case v == stored && a.base >= 0 && a.base <= p.mu.highest && !f.again:
		// A new batch cannot lie below an old one: the broker took it for another
		// that used its sequence before, and did not store it.
		p.mu.fenced = true
		p.stop(fmt.Errorf("%s-%d acknowledged a new batch at offset %d, below %d: its sequence had been used before", p.at.Topic, p.at.Number, a.base, p.mu.highest), fenced)
	case v == stored:
		acknowledged = true
		p.settle(f, a.base)
	case v == sequence && p.mu.flights[0] != f:
		// A lower batch is open, so this one could not be taken: no error of its own.
		f.touched = f.again
		p.stop(kerr.ErrorForCode(a.code), passes)
	default:
		f.large = v == tooLarge
		f.touched = f.again || v == unsure || v == sequence || v == fenced
		// What may be stored is asked for first: sent again late, it meets a broker that
		// has forgotten us and takes it for new.
		p.mu.unsure = p.mu.unsure || v == sequence || v == unsure
		p.mu.fenced = p.mu.fenced || v == fenced
		p.stop(refusal(a), v)
	}
	p.nudge()
	l := p.mu.link
	p.mu.Unlock()
	if acknowledged {
		p.finish(f, a.base)
	}
	if held && l != nil {
		l.enqueue(p) // those that were held behind the first
	}
}

// failed takes over that a batch's answer will not come.
func (p *Partition) failed(f *flight, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.onWire = false
	p.mu.wired--
	p.mu.unsure = true
	p.stop(err, passes)
	p.nudge()
}

// detach stops a partition whose broker cannot be reached.
func (p *Partition) detach(l *link, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.link == l {
		p.stop(err, passes)
		p.nudge()
	}
}

// settle takes an acknowledged batch out of the flights; p.mu is held.
func (p *Partition) settle(f *flight, base record.Offset) {
	i := slices.Index(p.mu.flights, f)
	if i >= 0 {
		p.mu.flights = slices.Delete(p.mu.flights, i, i+1)
	}
	if last := base + record.Offset(f.Entry.Count) - 1; base >= 0 {
		p.mu.highest = max(p.mu.highest, last)
		if i <= 0 { // else an older one is open, which may lie below
			p.mu.floor = max(p.mu.floor, last)
		}
	}
	p.mu.firm = true
	p.mu.attempts, p.mu.refused, p.mu.looked = 0, 0, 0
	if p.mu.trouble != nil && p.mu.link != nil {
		p.c.log.Info("sending goes on", "topic", p.at.Topic, "partition", p.at.Number)
	}
	p.mu.trouble = nil
	p.announce()
}

// finish tells everybody that a batch is acknowledged. No lock is held.
func (p *Partition) finish(f *flight, base record.Offset) {
	last := base
	if base >= 0 {
		last += record.Offset(f.Entry.Count) - 1
	}
	p.c.cfg.Journal.Done(f.Entry.Seq, last)
	p.c.cfg.Acked(int(f.Entry.Count), len(f.Bytes), time.Since(f.first))
	if f.Done != nil {
		f.Done()
	}
	p.c.count(-1)
}

// stop ends sending; a graver cause replaces a lighter one. p.mu is held.
func (p *Partition) stop(err error, v verdict) {
	if p.mu.cause == nil || v > p.mu.what {
		p.mu.cause, p.mu.what = err, v
	}
	p.mu.link = nil
}

// nudge wakes run once nothing is on the wire; p.mu is held.
func (p *Partition) nudge() {
	if p.mu.link == nil && p.mu.wired == 0 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}
