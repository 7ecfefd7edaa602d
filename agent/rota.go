package agent

import "time"

// rota is a list of streams in the order in which they were looked at: the first is due
// first. Looking costs what is due, not what there is.
type rota struct {
	first, last *stream
	n           int
}

// push puts s, which is in no rota, at the end.
func (r *rota) push(s *stream) {
	s.rota, s.prev, s.next = r, r.last, nil
	if r.last != nil {
		r.last.next = s
	} else {
		r.first = s
	}
	r.last = s
	r.n++
}

// leaveRota takes s out of the rota that it is in.
func (s *stream) leaveRota() {
	r := s.rota
	if r == nil {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		r.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		r.last = s.prev
	}
	s.rota, s.prev, s.next = nil, nil, nil
	r.n--
}

// How often a lane stats what it follows: that is the truth, events are hints. With many
// files each is looked at less often, so that the work stays within bounds: pace is how
// much time is given to one look.
const (
	lookBusy = time.Second      // files of which something was read in the last minute
	lookIdle = 10 * time.Second // others, while events tell of them
	lookDeaf = 2 * time.Second  // others, while events do not

	paceBusy = time.Millisecond
	paceIdle = 3 * time.Millisecond
	paceDeaf = 300 * time.Microsecond
	lookLast = time.Minute // however many there are
)

// paces says after how long files are due that are busy, idle, and idle where no events
// tell of them.
func (a *Agent) paces() (busy, idle, deaf time.Duration) {
	all, stirring := time.Duration(a.followed.Load()), time.Duration(a.stirring.Load())
	pace := func(least, each time.Duration, n time.Duration) time.Duration {
		return min(max(least, n*each), lookLast)
	}
	deaf = pace(lookDeaf, paceDeaf, all)
	if !a.events.Healthy() {
		return pace(lookBusy, paceDeaf, stirring), deaf, deaf
	}
	return pace(lookBusy, paceBusy, stirring), pace(lookIdle, paceIdle, all), deaf
}

// enrol puts s at the end of the rota that it belongs to.
func (l *lane) enrol(s *stream, now time.Time) {
	to := &l.idle
	switch {
	case s.awake != nil && now.Sub(s.active) < idleAfter:
		to = &l.busy
	case s.deaf:
		to = &l.deaf
	}
	if (s.rota == &l.busy) != (to == &l.busy) {
		if to == &l.busy {
			l.a.stirring.Add(1)
		} else if s.rota != nil {
			l.a.stirring.Add(-1)
		}
	}
	if to != &l.busy && s.awake != nil {
		s.slim(l.a.journal)
	}
	s.leaveRota()
	to.push(s)
}

// dismiss takes s out of what is looked at.
func (l *lane) dismiss(s *stream) {
	if s.rota == &l.busy {
		l.a.stirring.Add(-1)
	}
	s.leaveRota()
	delete(l.timed, s)
	delete(l.closing, s)
	delete(l.behind, s)
}
