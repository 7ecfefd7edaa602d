package produce

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/internal/record"
)

// mayNotAsk says once that a broker does not tell what it has, and why.
func (p *Partition) mayNotAsk(err error) {
	mend := "allow this agent's user READ on the topic"
	if errors.Is(err, kerr.UnsupportedVersion) {
		mend = "use a broker that knows DescribeProducers, as Kafka does from 2.8"
	}
	p.c.log.Warn("the broker does not say what it has: one batch at a time from now on", "topic", p.at.Topic, "partition", p.at.Number, "err", err, "mend", mend)
}

// withoutAnswer is for a broker that does not say what it has: one batch in flight
// at a time from now on, and a single batch in doubt is simply sent again, since the
// last batch is what every broker remembers (agent/DESIGN.md, rule 6). A journal that may
// be older than the log takes no sequence for free: after that batch a new producer id
// goes on.
func (p *Partition) withoutAnswer(ctx context.Context, l *link, conn *wire, flights []*flight, next record.Producer) error {
	p.mu.Lock()
	p.mu.window = 1
	behind, readBack := p.mu.behind, p.mu.readBack
	p.mu.Unlock()
	if behind && !readBack {
		e, ok, err := p.prove(ctx, l, knowledge{}, flights, next)
		if err != nil {
			return err
		}
		if ok { // the log says all, and what it does not show is not there
			if err := p.renew(!e.proves()); err != nil {
				return err
			}
			p.caughtUp()
			behind = false
		}
	}
	if err := p.resendUnasked(ctx, conn, behind); err != nil {
		return err
	}
	if behind {
		if err := p.renew(true); err != nil {
			return err
		}
		p.caughtUp()
	}
	p.adoptID()
	return nil
}

// caughtUp takes over that no sequence is taken for free any more that may be used.
func (p *Partition) caughtUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.behind = false
}

// remembersFor is how long a broker knows the last batch of a producer, less than the day
// that is Kafka's default.
const remembersFor = 23 * time.Hour

// judgeError is what a refusal means, stored when err is none.
func judgeError(err error) verdict {
	var code *kerr.Error
	if errors.As(err, &code) {
		return judge(code.Code)
	}
	return stored
}

// resendUnasked sends what an earlier life left in doubt: one batch as it was, more of
// them, of which the last alone would be recognised, in another place.
func (p *Partition) resendUnasked(ctx context.Context, conn *wire, behind bool) error {
	p.mu.Lock()
	next, touched := p.mu.next, []*flight(nil)
	for _, f := range p.mu.flights {
		if f.touched {
			touched = append(touched, f)
		}
	}
	p.mu.Unlock()
	var err error
	switch {
	case len(touched) == 1 && !touched[0].doubted && time.Since(touched[0].first) > remembersFor:
		touched[0].doubted = true
		p.c.doubles.Add(int64(touched[0].Entry.Count))
		p.c.cfg.Doubled(touched[0].Entry)
		p.c.log.Warn("a batch is sent again that the broker may have forgotten", "topic", p.at.Topic, "partition", p.at.Number, "possible_doubles", touched[0].Entry.Count)
	case len(touched) > 1 && behind: // the next epoch may have been used as well
		err = p.renew(true)
	case len(touched) > 1:
		err = p.renumber(record.Producer{ID: next.ID, Epoch: next.Epoch + 1}, true)
	}
	if err != nil {
		return err
	}
	err = p.resend(ctx, conn)
	if v := judgeError(err); v == sequence || v == fenced { // it lies far below what was sent later, or that has gone
		if err = p.renew(true); err == nil {
			err = p.resend(ctx, conn)
		}
	}
	return err
}
