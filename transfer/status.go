package transfer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer/worker"
)

// Status is what the transfer says about itself now. It may be called at any time.
func (t *Transfer) Status() etcdconf.TransferStatus {
	s := etcdconf.TransferStatus{
		ID: t.cfg.ID, Host: t.cfg.Host, Version: t.cfg.Version, Started: t.started, Routes: []etcdconf.RouteStatus{},
	}
	t.mu.Lock()
	env, slots := t.mu.env, t.mu.slots
	t.mu.Unlock()
	if env == nil {
		return s
	}
	s.Instance = env.id
	routes, faults := slots.routes()
	for _, r := range routes {
		s.Routes = append(s.Routes, r.status()...)
	}
	for _, f := range faults {
		s.Routes = fault(s.Routes, f)
	}
	slices.SortFunc(s.Routes, func(a, b etcdconf.RouteStatus) int {
		return cmp.Or(strings.Compare(a.Sink, b.Sink), strings.Compare(a.Topic, b.Topic))
	})
	return s
}

// fault shows a refused value: on the routes of the last good one, which goes on, or by itself.
func fault(routes []etcdconf.RouteStatus, f etcdconf.Fault) []etcdconf.RouteStatus {
	shown := false
	for i := range routes {
		if routes[i].Sink == f.Name {
			routes[i].State, routes[i].Error, routes[i].Revision = etcdconf.StateFailed, f.Err.Error(), f.Revision
			shown = true
		}
	}
	if !shown {
		routes = append(routes, etcdconf.RouteStatus{
			Sink: f.Name, State: etcdconf.StateFailed, Revision: f.Revision, Partitions: []int32{}, Error: f.Err.Error(),
		})
	}
	return routes
}

// status is one entry for each topic of the route, for those too that are waited for.
func (r *route) status() []etcdconf.RouteStatus {
	r.mu.Lock()
	topics, workers, why := slices.Collect(maps.Keys(r.mu.topics)), slices.Clone(r.mu.workers), r.mu.err
	r.mu.Unlock()
	byTopic := map[string]*etcdconf.RouteStatus{}
	entry := func(topic string) *etcdconf.RouteStatus {
		if byTopic[topic] == nil {
			byTopic[topic] = r.blank(topic, why)
		}
		return byTopic[topic]
	}
	for _, t := range topics {
		entry(t)
	}
	for _, t := range r.value.Topics {
		if !strings.HasPrefix(t, "~") || len(topics) == 0 {
			entry(t)
		}
	}
	for _, w := range workers {
		s := w.Status()
		add(entry(s.Topic), s)
	}
	var out []etcdconf.RouteStatus
	for _, e := range byTopic {
		slices.Sort(e.Partitions)
		out = append(out, *e)
	}
	return out
}

// blank is a topic of which nothing is assigned here.
func (r *route) blank(topic string, why error) *etcdconf.RouteStatus {
	e := &etcdconf.RouteStatus{
		Sink: r.value.Name, Topic: topic, State: etcdconf.StateApplying, Revision: r.value.Revision, Partitions: []int32{},
	}
	switch {
	case r.value.Paused:
		e.State = etcdconf.StatePaused
	case why != nil:
		e.Error = why.Error()
		if stops(why) {
			e.State = etcdconf.StateStopped
		}
	case r.isMember():
		e.State = etcdconf.StateRunning // others of the group have its partitions
	}
	return e
}

// add counts one partition into its topic's entry.
func add(e *etcdconf.RouteStatus, s worker.Status) {
	e.Partitions = append(e.Partitions, s.Partition)
	e.LagRecords += s.LagRecords
	e.LagBytes += s.LagBytes
	e.LagMs = max(e.LagMs, s.LagMs)
	switch {
	case s.Stopped:
		e.State = etcdconf.StateStopped
	case e.State == etcdconf.StateApplying && s.Moving:
		e.State = etcdconf.StateRunning
	}
	if s.Err != nil && (e.Error == "" || s.Stopped) {
		e.Error = s.Err.Error()
	}
}
