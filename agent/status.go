package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/etcdconf"
)

// shownStreams is how many streams a status names: the worst; the rest are in its totals.
const shownStreams = 200

// Status is how the agent stands now: totals, inputs, and the worst streams.
func (a *Agent) Status() etcdconf.AgentStatus {
	st := etcdconf.AgentStatus{
		Host: a.cfg.Host, State: etcdconf.StateLive, Version: a.cfg.Version, Labels: a.cfg.Labels,
		Inputs: []etcdconf.InputStatus{}, Streams: []etcdconf.StreamStatus{},
	}
	a.mu.Lock()
	running := a.mu.running
	st.Started = a.mu.started
	a.mu.Unlock()
	if !running {
		return st
	}
	st.Instance = a.journal.Instance()
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.surveyed()
	for _, x := range v.worst {
		st.Streams = append(st.Streams, x.status(a))
	}
	st.Inputs = append(st.Inputs, a.inputStatuses()...)
	for i := range st.Inputs {
		if l := v.inputs[st.Inputs[i].Name]; l != nil {
			st.Inputs[i].LagBytes, st.Inputs[i].LagMs = l.lag, l.behind.Milliseconds()
		}
	}
	lost, _ := a.journal.Sums()
	st.Totals = etcdconf.AgentTotals{
		Inputs: len(st.Inputs), Streams: v.all.streams, LagBytes: v.all.lag, LagMs: v.all.behind.Milliseconds(), Records: a.metrics.records.Load(), Bytes: a.metrics.bytes.Load(),
		SkippedBytes: a.metrics.filtered.Load() + a.metrics.overlong.Load(), LostBytes: lost, SpooledBytes: a.spool.Bytes(), PossibleDoubles: a.client.PossibleDoubles(),
	}
	return st
}

// inputStatuses lists the inputs of this host by name; mu is held.
func (a *Agent) inputStatuses() []etcdconf.InputStatus {
	var out []etcdconf.InputStatus
	for _, name := range slices.Sorted(maps.Keys(a.mu.inputs)) {
		in := a.mu.inputs[name]
		st := etcdconf.InputStatus{Name: name, Topic: in.Topic, Revision: in.Revision}
		if in.set != nil {
			st.Files = len(in.set.Files)
		}
		st.State, st.Error = a.state(in)
		out = append(out, st)
	}
	for _, f := range a.mu.faults {
		failed := etcdconf.InputStatus{Name: f.Name, State: etcdconf.StateFailed, Revision: f.Revision, Error: f.Err.Error()}
		if i := slices.IndexFunc(out, func(s etcdconf.InputStatus) bool { return s.Name == f.Name }); i >= 0 {
			failed.Topic, failed.Files = out[i].Topic, out[i].Files
			out[i] = failed
		} else {
			out = append(out, failed)
		}
	}
	return out
}

// state says what became of an input, and why; mu is held.
func (a *Agent) state(in *input) (etcdconf.State, string) {
	var stuck *produce.Stuck
	t := a.mu.topics[in.Topic]
	var trouble error
	if t != nil {
		trouble = t.trouble()
	}
	refused := refusals(in)
	switch {
	case in.broken != nil:
		return etcdconf.StateFailed, in.broken.Error()
	case in.astray != nil:
		return etcdconf.StateFailed, in.astray.Error()
	case errors.As(trouble, &stuck):
		return etcdconf.StateFailed, trouble.Error()
	case in.Paused:
		return etcdconf.StatePaused, ""
	case in.set == nil:
		return etcdconf.StateApplying, ""
	case len(in.set.Files) > 0 && in.lost == len(in.set.Files):
		return etcdconf.StateOverlapped, "every file it matches is sent to this topic by an input of an earlier name"
	case len(in.set.Files) == 0 && refused != "":
		return etcdconf.StateFailed, refused
	case trouble != nil:
		return etcdconf.StateApplying, trouble.Error()
	case a.mu.full != nil:
		return etcdconf.StateApplying, a.mu.full.Error()
	}
	return etcdconf.StateApplied, refused
}

// refusals are the first few paths that an input names and nobody may follow.
func refusals(in *input) string {
	if in.set == nil || len(in.set.Refused) == 0 {
		return ""
	}
	var out []string
	for _, path := range slices.Sorted(maps.Keys(in.set.Refused)) {
		if len(out) == 3 {
			out = append(out, fmt.Sprintf("and %d more", len(in.set.Refused)-3))
			break
		}
		out = append(out, in.set.Refused[path].Error())
	}
	return strings.Join(out, "; ")
}

// tidy lets go of streams that have come to their end, and counts partitions anew.
func (a *Agent) tidy(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		a.mu.Lock()
		if len(a.mu.odd) > 0 {
			a.revise(ctx, maps.Keys(maps.Clone(a.mu.odd)))
		}
		var recount []*topic
		for _, t := range a.mu.topics {
			if t.ready && time.Since(t.asked) > countEvery {
				t.asked = time.Now()
				recount = append(recount, t)
			}
		}
		a.mu.Unlock()
		for _, t := range recount {
			a.lanes.Go(func() { t.recount(ctx) })
		}
	}
}
