package transfer

import (
	"bytes"
	"context"
	"sync"

	"github.com/loghaul/loghaul/etcdconf"
)

// slots hold one slot for each sink's name. A change of one sink touches no other.
type slots struct {
	env *env
	wg  sync.WaitGroup

	mu struct {
		sync.Mutex
		byName map[string]*slot
		faults []etcdconf.Fault
	}
}

// slot serves the values of one sink, one after the other: the next one begins when the one before has drained. It
// stays when the sink goes, so that one which comes back waits for its predecessor too.
type slot struct {
	want chan *etcdconf.Sink // the newest value not taken up yet, nil: none; capacity 1

	mu struct {
		sync.Mutex
		newest *etcdconf.Sink // that was wanted
		route  *route         // of the value being served, nil: none
	}
}

func newSlots(env *env) *slots {
	s := &slots{env: env}
	s.mu.byName = map[string]*slot{}
	return s
}

// apply makes the routes what sinks say. It returns at once; what has to drain does so by itself.
func (s *slots) apply(ctx, hard context.Context, sinks etcdconf.Sinks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.faults = nil
	for _, f := range sinks.Faults {
		if s.env.serves(f.Name) {
			s.mu.faults = append(s.mu.faults, f)
			s.env.log.Error("a sink was refused", "sink", f.Name, "revision", f.Revision, "error", f.Err)
		}
	}
	wanted := map[string]bool{}
	for _, v := range sinks.Good {
		if !s.env.serves(v.Name) {
			continue
		}
		wanted[v.Name] = true
		l := s.mu.byName[v.Name]
		if l == nil {
			l = &slot{want: make(chan *etcdconf.Sink, 1)}
			s.mu.byName[v.Name] = l
			s.wg.Go(func() { l.run(ctx, hard, s.env) })
		}
		l.change(&v)
	}
	for name, l := range s.mu.byName {
		if !wanted[name] {
			l.change(nil)
		}
	}
}

// routes are the routes that run now, and the values that were refused.
func (s *slots) routes() (routes []*route, faults []etcdconf.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.mu.byName {
		if r := l.serving(); r != nil {
			routes = append(routes, r)
		}
	}
	return routes, append(faults, s.mu.faults...)
}

// run serves value after value until ctx ends.
func (l *slot) run(ctx, hard context.Context, env *env) {
	var v *etcdconf.Sink
	for {
		life, end := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if v != nil {
			r := newRoute(env, *v)
			l.serve(r)
			wg.Go(func() { r.run(life, hard) })
		}
		more := false
		select {
		case v = <-l.want:
			more = true
		case <-ctx.Done():
		}
		end()
		wg.Wait()
		l.serve(nil)
		if !more {
			return
		}
	}
}

// change gives the slot another value, unless it is the one that was wanted last.
func (l *slot) change(v *etcdconf.Sink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.mu.newest
	l.mu.newest = v
	if (before == nil) == (v == nil) && (v == nil || bytes.Equal(before.Raw, v.Raw)) {
		return
	}
	select {
	case <-l.want: // one that was not taken up in time
	default:
	}
	l.want <- v // there is room: only change sends, under the lock
}

func (l *slot) serve(r *route) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.route = r
}

func (l *slot) serving() *route {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.route
}
