package produce

import (
	"errors"
	"slices"

	"github.com/loghaul/loghaul/agent/journal"
)

// errAbandoned stops a partition whose batches are to be given up.
var errAbandoned = errors.New("batches are given up")

// Abandon gives up the batches that match says and that are not acknowledged, in every
// partition that was opened: they are journaled as lost. It does not wait for that; what
// was on the wire is awaited first.
func (c *Client) Abandon(match func(*journal.Entry) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.mu.parts {
		p.abandon(match)
	}
}

// Opened says whether a partition was opened, so that Abandon reaches its batches.
func (c *Client) Opened(at journal.Partition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.parts[at] != nil
}

// abandon tells run, which does it once nothing is on the wire.
func (p *Partition) abandon(match func(*journal.Entry) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.mu.flights, func(f *flight) bool { return match(f.Entry) }) {
		return
	}
	if before := p.mu.abandon; before != nil { // asked for another input, and not done yet
		asked := match
		match = func(e *journal.Entry) bool { return before(e) || asked(e) }
	}
	p.mu.abandon = match
	if p.mu.link != nil {
		p.stop(errAbandoned, passes)
		p.nudge()
	}
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// giveUp takes out the batches that are to be abandoned. Those behind them get another
// place in the sequence, once the leader has said what it has. Nothing is on the wire.
func (p *Partition) giveUp() {
	p.mu.Lock()
	match := p.mu.abandon
	p.mu.abandon = nil
	var gone []*flight
	if match != nil {
		p.mu.flights = slices.DeleteFunc(p.mu.flights, func(f *flight) bool {
			if match(f.Entry) {
				gone = append(gone, f)
				return true
			}
			return false
		})
	}
	if len(gone) > 0 {
		p.mu.unsure, p.mu.trouble, p.mu.attempts = true, nil, 0
		p.announce()
	}
	p.mu.Unlock()
	for _, f := range gone {
		p.c.cfg.Journal.Lost(f.Entry.Seq, f.Entry.Bytes())
		p.c.cfg.Abandoned(f.Entry)
		if f.Done != nil {
			f.Done()
		}
		p.c.count(-1)
	}
	if len(gone) > 0 {
		p.c.log.Warn("batches were given up as asked; their lines are counted as lost", "topic", p.at.Topic, "partition", p.at.Number, "batches", len(gone))
	}
}
