package agent

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/line"
)

// guards hold the files of streams that may not be read yet, because their topic is not
// to be reached or an earlier life is not settled: what is renamed meanwhile is found
// again later, and what is deleted goes to the spool.
type guards struct {
	sync.Mutex // taken after Agent.mu and after a guard's own, never kept over work on files
	topics     map[string]*guarded
	n          int           // guards in all
	open       int           // descriptors
	wake       chan struct{} // a held stream must be looked at; capacity 1
}

// guarded are the guards of one topic.
type guarded struct {
	owners *follow.Owners
	byPath map[string]*guard
	stored map[string]bool // paths that lead nowhere; what is left of their files lies in the spool
	late   bool            // it is known that the topic takes its time
}

// guardAfter is how long a held stream is left alone while nothing says that its topic
// takes its time: mostly it is there at once.
const guardAfter = 200 * time.Millisecond

// guard is one stream that is looked after and not read.
type guard struct {
	sync.Mutex // held over its looks and its end
	a          *Agent
	id         streamID
	begin      func() *follow.Stream
	f          *follow.Stream // nil before the first look
	ended      bool
	since      time.Time // it is held
	looked     time.Time
	day        int64 // since 1970, on which the journal was told last that its files are there
	open       int

	exposed []string    // of Agent.exposed
	alarmed atomic.Bool // one of them is gone
}

func (gs *guards) nudge() {
	select {
	case gs.wake <- struct{}{}:
	default:
	}
}

// of are the guards of a topic; the lock is held.
func (gs *guards) of(topic string) *guarded {
	t := gs.topics[topic]
	if t == nil {
		if gs.topics == nil {
			gs.topics = map[string]*guarded{}
		}
		t = &guarded{byPath: map[string]*guard{}, stored: map[string]bool{}}
		gs.topics[topic] = t
	}
	return t
}

// hurry says that a topic takes its time: its files are opened at once, for they may be
// gone before it is ready.
func (gs *guards) hurry(topic string) {
	gs.Lock()
	defer gs.Unlock()
	gs.of(topic).late = true
	gs.nudge()
}

// hold takes up the stream of id, unless it is held already; Agent.mu is held.
func (a *Agent) hold(t *topic, id streamID, in *input) {
	gs := &a.guards
	gs.Lock()
	defer gs.Unlock()
	held := gs.of(id.topic)
	if held.stored[id.path] && in.set != nil {
		if _, there := in.set.Files[id.path]; !there {
			return
		}
		delete(held.stored, id.path)
	}
	if held.byPath[id.path] != nil {
		return
	}
	if held.owners == nil {
		held.owners = follow.NewOwners(nil)
	}
	held.owners.Expect(id.path)
	fromEnd, owners := in.from[id.path], held.owners
	held.byPath[id.path] = &guard{a: a, id: id, since: time.Now(), begin: func() *follow.Stream { // of very many files mostly never called
		var resume []follow.Checkpoint
		for _, g := range t.generations(id.path) {
			resume = append(resume, checkpoint(g))
		}
		return follow.New(follow.Config{
			Path: id.path, Resume: resume, FromEnd: len(resume) == 0 && fromEnd, MaxLine: int(in.MaxLineBytes), LongLines: in.LongLines,
			DeletedAge: a.cfg.DeletedAge, Allow: a.access.Check, Owners: owners, Spool: spooler{a, id.topic}, Found: spooler{a, id.topic}.found, Archives: a.cfg.Once, Unpacking: a.unpacking,
			Known: t.journaled, Logger: a.log,
		})
	}}
	gs.n++
	if held.late {
		gs.nudge()
	}
}

// letGo ends the guards of a topic, or of all with "": what of their files has no name
// is in the spool then.
func (a *Agent) letGo(topic string) {
	gs := &a.guards
	gs.Lock()
	var all []*guard
	for name, t := range gs.topics {
		if topic == "" || name == topic {
			for _, g := range t.byPath {
				all = append(all, g)
			}
			delete(gs.topics, name)
		}
	}
	gs.Unlock()
	for _, g := range all {
		g.end()
	}
}

// end closes what g holds. It waits for a look that is under way.
func (g *guard) end() {
	g.Lock()
	defer g.Unlock()
	if g.ended {
		return
	}
	if g.ended = true; g.f != nil {
		g.f.Close()
		g.count(g.f.Ends())
	}
	g.a.exposed.expose(g, g.exposed, nil)
	gs := &g.a.guards
	gs.Lock()
	defer gs.Unlock()
	gs.open -= g.open
	gs.n--
}

// keepGuard looks after the held files until ctx ends.
func (a *Agent) keepGuard(ctx context.Context) error {
	tick := time.NewTimer(watchEvery)
	defer tick.Stop()
	defer a.letGo("")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.guards.wake:
		}
		began := time.Now()
		for _, g := range a.guards.due() {
			if ctx.Err() != nil {
				return nil
			}
			g.look(time.Now())
		}
		tick.Reset(max(watchEvery, 10*time.Since(began)))
	}
}

// due are the guards that may be looked at: a topic that is there lets them go at once.
func (gs *guards) due() (all []*guard) {
	gs.Lock()
	defer gs.Unlock()
	now := time.Now()
	for _, t := range gs.topics {
		for _, g := range t.byPath {
			if t.late || g.alarmed.Load() || now.Sub(g.since) >= guardAfter {
				all = append(all, g)
			}
		}
	}
	return all
}

// look looks at the files of g if their time has come.
func (g *guard) look(now time.Time) {
	g.Lock()
	defer g.Unlock()
	if g.ended || g.f != nil && !g.hasTime(now) {
		return
	}
	if g.f == nil {
		g.f = g.begin()
	}
	g.looked = now
	_, _ = g.f.Look() // what is wrong is told by the stream that comes
	g.count(g.f.Ends())
	g.exposed = g.a.exposed.expose(g, g.exposed, append(slices.Clone(g.f.Exposed()), g.id.path))
	if today := now.Unix() / 86400; g.day != today {
		g.day = today
		for _, cp := range g.f.Checkpoints() { // else it is forgotten while its topic is away, and sent again
			g.a.journal.Saw(g.id.topic, journalID(cp.ID))
		}
	}
	gs, n := &g.a.guards, g.f.Open()
	gs.Lock()
	gs.open += n - g.open
	over := gs.open > g.a.cfg.MaxOpen
	gs.Unlock()
	if g.open = n; over {
		g.open = g.f.Release()
		gs.Lock()
		gs.open += g.open - n
		gs.Unlock()
	}
	if g.f.Stored() {
		g.store()
	}
}

// hasTime says whether g is due to be looked at.
func (g *guard) hasTime(now time.Time) bool {
	gs := &g.a.guards
	gs.Lock()
	n := time.Duration(gs.n)
	gs.Unlock()
	due := max(lookDeaf, min(n*paceDeaf, lookLast))
	if g.f.Lag() > 0 {
		due = max(lookBusy, min(n*paceBusy, lookLast))
	}
	at := g.f.Due()
	return g.alarmed.Swap(false) || now.Sub(g.looked) >= due || !at.IsZero() && !now.Before(at)
}

// store lets go of g, whose path leads nowhere: the journal and the spool have what is
// left of it, so that files that come and go cost no more than their names.
func (g *guard) store() {
	gs := &g.a.guards
	gs.Lock()
	t := gs.topics[g.id.topic]
	mine := t != nil && t.byPath[g.id.path] == g // else its topic is ready, and ends it
	if mine {
		delete(t.byPath, g.id.path)
		t.stored[g.id.path] = true
		gs.n--
		gs.open -= g.open
	}
	gs.Unlock()
	if !mine {
		return
	}
	g.ended = true
	g.f.Close()
	g.a.exposed.expose(g, g.exposed, nil)
}

// count journals what can never be read of files that went before anybody read them.
func (g *guard) count(ends []follow.Chunk) {
	for _, c := range ends {
		known, ok := g.a.journal.Known(g.id.topic, journalID(c.ID))
		if !ok || c.Lost == 0 {
			continue
		}
		g.a.journal.Gap(known.Ref, journal.Gap{From: c.Start, To: c.Start + line.Position(c.Lost), AtLeast: c.LostLeast})
		g.a.metrics.lost.Add(c.Lost)
	}
}
