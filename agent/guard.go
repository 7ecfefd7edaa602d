package agent

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
)

// guards hold the files of streams that may not be read yet, because their topic is not
// to be reached or an earlier life is not settled: what is renamed meanwhile is found
// again later, and what is deleted goes to the spool.
type guards struct {
	sync.Mutex
	m      map[streamID]*guard
	owners map[string]*follow.Owners // by topic
	open   int                       // descriptors
	wake   chan struct{}             // a held stream must be looked at; capacity 1
}

func (gs *guards) nudge() {
	select {
	case gs.wake <- struct{}{}:
	default:
	}
}

// guardAfter is how long a held stream is left alone.
const guardAfter = 500 * time.Millisecond

// guard is one stream that is looked after and not read.
type guard struct {
	f      *follow.Stream
	since  time.Time // it is held
	looked time.Time
	open   int

	of      *guards
	exposed []string    // of Agent.exposed
	alarmed atomic.Bool // one of them is gone
}

// hold takes up the stream of id, unless it is held already; Agent.mu is held.
func (a *Agent) hold(t *topic, id streamID, in *input) {
	gs := &a.guards
	gs.Lock()
	defer gs.Unlock()
	if gs.m[id] != nil {
		return
	}
	var resume []follow.Checkpoint
	for _, g := range t.generations(id.path) {
		resume = append(resume, checkpoint(g))
	}
	if gs.m == nil {
		gs.m, gs.owners = map[streamID]*guard{}, map[string]*follow.Owners{}
	}
	if gs.owners[id.topic] == nil {
		gs.owners[id.topic] = follow.NewOwners(resume)
	}
	gs.m[id] = &guard{of: gs, since: time.Now(), f: follow.New(follow.Config{
		Path: id.path, Resume: resume, FromEnd: len(resume) == 0 && in.from[id.path], MaxLine: int(in.MaxLineBytes), LongLines: in.LongLines,
		DeletedAge: a.cfg.DeletedAge, Allow: a.access.Check, Owners: gs.owners[id.topic], Spool: spooler{a, id.topic}, Archives: a.cfg.Once, Unpacking: a.unpacking,
		Known: t.journaled, Logger: a.log,
	})}
}

// letGo ends the guards of a topic, or of all with "": what of their files has no name
// is in the spool then.
func (a *Agent) letGo(topic string) {
	gs := &a.guards
	gs.Lock()
	defer gs.Unlock()
	for id, g := range gs.m {
		if topic == "" || id.topic == topic {
			g.f.Close()
			a.exposed.expose(g, g.exposed, nil)
			gs.open -= g.open
			delete(gs.m, id)
		}
	}
	if len(gs.m) == 0 {
		gs.m = nil // it may have been large
	}
	delete(gs.owners, topic)
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
		began, gs := time.Now(), &a.guards
		gs.Lock()
		ids := slices.Collect(maps.Keys(gs.m))
		gs.Unlock()
		for _, id := range ids {
			if ctx.Err() != nil {
				return nil
			}
			a.guardOne(id, time.Now())
		}
		tick.Reset(max(watchEvery, 10*time.Since(began)))
	}
}

// guardOne looks at one held stream whose time has come. The lock is not kept over all
// of them, for others wait for it.
func (a *Agent) guardOne(id streamID, now time.Time) {
	gs := &a.guards
	gs.Lock()
	defer gs.Unlock()
	g := gs.m[id]
	if g == nil {
		return
	}
	due := max(lookDeaf, min(time.Duration(len(gs.m))*paceDeaf, lookLast))
	if g.f.Lag() > 0 {
		due = max(lookBusy, min(time.Duration(len(gs.m))*paceBusy, lookLast))
	}
	alarmed := g.alarmed.Swap(false)
	if !alarmed && now.Sub(g.since) < guardAfter {
		return // a topic that is there lets it go at once
	}
	if at := g.f.Due(); !alarmed && now.Sub(g.looked) < due && (at.IsZero() || now.Before(at)) {
		return
	}
	g.looked = now
	_, _ = g.f.Look() // what is wrong is told by the stream that comes
	g.exposed = a.exposed.expose(g, g.exposed, append(slices.Clone(g.f.Exposed()), id.path))
	n := g.f.Open()
	if gs.open += n - g.open; gs.open > a.cfg.MaxOpen {
		still := g.f.Release()
		gs.open += still - n
		n = still
	}
	g.open = n
}
