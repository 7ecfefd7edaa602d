package agent

import (
	"slices"
	"sync"
)

// alarmed wants to hear at once that a file lost its name, because something of it is
// not acknowledged.
type alarmed interface{ alarm() }

// exposed is who wants to hear of which names, apart from the paths of streams.
type exposed struct {
	sync.RWMutex
	m map[string][]alarmed
}

// expose puts the names now in the place of those of before that who wants to hear of,
// and answers them.
func (e *exposed) expose(who alarmed, before, now []string) []string {
	if slices.Equal(before, now) {
		return before
	}
	e.Lock()
	defer e.Unlock()
	for _, name := range before {
		left := slices.DeleteFunc(slices.Clone(e.m[name]), func(x alarmed) bool { return x == who })
		if e.m[name] = left; len(left) == 0 {
			delete(e.m, name)
		}
	}
	if e.m == nil {
		e.m = map[string][]alarmed{}
	}
	for _, name := range now {
		e.m[name] = append(slices.Clone(e.m[name]), who)
	}
	return slices.Clone(now)
}

// removed passes on that a name is gone. It does not block.
func (a *Agent) removed(name string) {
	a.exposed.RLock()
	who := a.exposed.m[name]
	a.exposed.RUnlock()
	for _, x := range who {
		x.alarm()
	}
	a.byPath.RLock()
	streams := a.byPath.m[name]
	a.byPath.RUnlock()
	for _, s := range streams {
		s.alarm()
	}
}

// alarm makes the stream's lane look at it before anything else.
func (s *stream) alarm() {
	s.alarmed.Store(true)
	s.hinted()
	if l := s.lane.Load(); l != nil {
		l.alarmed.Store(true)
		l.nudge()
	}
}

// alarm makes the guard be looked at before its time.
func (g *guard) alarm() {
	g.alarmed.Store(true)
	g.a.guards.nudge()
}
