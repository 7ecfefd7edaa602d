package agent

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/loghaul/loghaul/agent/account"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/line"
)

// accountWait bounds the wait for the account at the end of a run.
const accountWait = 2 * time.Second

// books are the account as the journal and the streams have it.
type books struct{ a *Agent }

// openAccount makes what publishes the account, nil when nobody wants it.
func (a *Agent) openAccount() *account.Publisher {
	if a.cfg.Account == "" {
		return nil
	}
	return account.New(account.Config{Kafka: a.cfg.Kafka, Topic: a.cfg.Account, Every: a.cfg.accountEvery, Source: books{a}, Logger: a.log})
}

// closeAccount sends what is left of the account, when everything else has come to rest.
func (a *Agent) closeAccount(p *account.Publisher) {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), accountWait)
	defer cancel()
	if err := p.Flush(ctx); err != nil {
		a.log.Warn("the end of the account could not be sent; the next start sends it", "err", err)
	}
}

// Changed lists what the journal knows newer.
func (b books) Changed(most int) []ledger.Entry {
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	var list []ledger.Entry
	for _, g := range b.a.journal.Changed(most) {
		list = append(list, b.entry(g))
	}
	return list
}

// Forgotten lists what the journal does not know any more.
func (b books) Forgotten() []ledger.Entry {
	var list []ledger.Entry
	for _, g := range b.a.journal.Forgotten() {
		list = append(list, ledger.Entry{Host: b.a.cfg.Host, Topic: g.Topic, Generation: g.Name.String(), Path: g.Path})
	}
	return list
}

// entry is the account of one generation; Agent.mu is held.
func (b books) entry(g journal.Generation) ledger.Entry {
	e := ledger.Entry{
		Host: b.a.cfg.Host, Path: g.Path, Generation: g.Name.String(), Topic: g.Topic, Partition: g.Partition,
		From: int64(g.From), Read: int64(max(g.Begun, g.Position)), Acked: int64(g.Position),
		Skipped: ledger.Skipped{Filters: g.Skips.Filtered, LongLines: g.Skips.Overlong, Start: max(0, int64(g.From))},
		Lost:    g.Lost, PossibleDoubles: g.Doubles, Ended: g.Ended, Time: time.Now().UTC().Truncate(time.Millisecond),
	}
	if g.Position == g.Begun {
		e.Tail = min(g.Carry, int64(g.Position)-max(0, int64(g.From)))
	}
	if g.TopicID != (journal.TopicID{}) {
		e.TopicID, e.Earlier = base64.RawURLEncoding.EncodeToString(g.TopicID[:]), int64(g.Earlier)
	}
	for _, gap := range g.Gaps {
		e.Gaps = append(e.Gaps, ledger.Gap{From: int64(gap.From), To: int64(gap.To), AtLeast: gap.AtLeast})
	}
	if s := b.a.mu.streams[streamID{g.Path, g.Topic}]; s != nil {
		read, size := s.readOf(g.Ref)
		e.Read = max(e.Read, int64(read))
		e.Waiting = max(0, size-e.Acked)
	}
	e.Waiting = max(e.Waiting, e.Read-e.Acked)
	return e
}

// readOf is up to where a generation was read and how long it is, both 0 when it is not
// the one that was read last.
func (s *stream) readOf(ref journal.Ref) (line.Position, int64) {
	s.shown.Lock()
	defer s.shown.Unlock()
	if s.shown.ref != ref {
		return 0, 0
	}
	return s.shown.read, s.shown.size
}

// doubled notes, on each of its files, that a batch is sent again without proof.
func (a *Agent) doubled(e *journal.Entry) {
	for _, r := range e.Ranges {
		a.journal.Doubled(r.Ref, int64(r.Count))
	}
}
