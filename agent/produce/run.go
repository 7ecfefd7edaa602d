package produce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/internal/record"
)

// run brings the partition to its leader again and again: connect, send until
// something stops it, look at what that was.
func (p *Partition) run(ctx context.Context) {
	refresh := false
	for ctx.Err() == nil {
		p.giveUp()
		if err := p.connect(ctx, refresh); err != nil {
			refresh = true
			p.rest(ctx, err)
			continue
		}
		cause, what := p.stopped(ctx)
		if cause == nil {
			return
		}
		p.c.retries.Add(1)
		refresh = true
		p.rest(ctx, p.mend(cause, what))
	}
}

// stopped waits until sending has stopped and nothing is on the wire any more, and
// answers why; nil: ctx has ended.
func (p *Partition) stopped(ctx context.Context) (error, verdict) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return nil, stored
		}
		p.mu.Lock()
		cause, what := p.mu.cause, p.mu.what
		done := p.mu.link == nil && p.mu.wired == 0 && cause != nil
		if done {
			p.mu.cause, p.mu.what = nil, stored
		}
		p.mu.Unlock()
		if done {
			return cause, what
		}
	}
}

// connect finds the leader, settles what is in doubt, and attaches to the leader's
// link, which sends from then on.
func (p *Partition) connect(ctx context.Context, refresh bool) error {
	p.mu.Lock()
	attached, unsure, isFenced := p.mu.link != nil, p.mu.unsure, p.mu.fenced
	p.mu.Unlock()
	if attached {
		return nil
	}
	addr, err := p.c.leader(p.at, refresh)
	if err != nil {
		return err
	}
	l := p.c.link(ctx, addr)
	if unsure || isFenced {
		if err := p.reconcile(ctx, l, isFenced); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.mu.unsure, p.mu.fenced, p.mu.firm = false, false, false
	p.mu.link = l
	p.mu.open = true
	if len(p.mu.flights) == 0 {
		p.mu.trouble = nil
	}
	p.announce()
	p.mu.Unlock()
	l.enqueue(p)
	return nil
}

// mend does what can be done at once about the cause of a stop, and answers what
// remains of it.
func (p *Partition) mend(cause error, what verdict) error {
	switch what {
	case tooLarge:
		return p.splitOrStick(p.large())
	case permanent:
		p.restamp()
		return stuck(p.at.Topic, fmt.Errorf("partition %d refused a batch: %w", p.at.Number, cause))
	}
	return cause
}

// restamp gives what waits the time of now: a batch may have become too old for its
// topic while it waited (agent/DESIGN.md, rule 9). Nothing is on the wire.
func (p *Partition) restamp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().UnixMilli()
	for _, f := range p.mu.flights {
		if f.Bytes != nil {
			record.SetTimes(f.Bytes, now, now)
		}
	}
}

// rest notes what is in the way and waits before the next try. A try that follows
// a success at once is free.
func (p *Partition) rest(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	// A topic that is unknown once may only be unknown to one broker yet.
	if errors.Is(err, kerr.UnknownTopicOrPartition) && p.mu.attempts > 8 {
		err = stuck(p.at.Topic, fmt.Errorf("it is not there any more, and lines wait for it: %w", kerr.UnknownTopicOrPartition))
	}
	first := p.mu.trouble == nil || isStuck(err) && !isStuck(p.mu.trouble)
	attempts := p.mu.attempts
	p.mu.attempts++
	if attempts > 0 || isStuck(err) {
		p.mu.trouble = err
	} else {
		first = false
	}
	p.mu.Unlock()
	if first {
		p.c.log.Warn("sending waits and nothing is lost", "topic", p.at.Topic, "partition", p.at.Number, "err", err)
	}
	d := p.c.backoff(attempts)
	if isStuck(err) {
		d = p.c.cfg.BackoffStuck
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.kick:
	case <-ctx.Done():
	}
}
