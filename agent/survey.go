package agent

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/line"
)

// standing is where one stream stands.
type standing struct {
	s      *stream
	acked  line.Position
	lag    int64         // bytes that are not acknowledged, over all generations of the path
	behind time.Duration // for how long it has not come on though there is something
	err    error
}

// lags are sums over streams.
type lags struct {
	streams int
	lag     int64
	behind  time.Duration // the longest
}

func (l *lags) add(x standing) {
	l.streams++
	l.lag += x.lag
	l.behind = max(l.behind, x.behind)
}

// survey is where all streams stand.
type survey struct {
	all    lags
	inputs map[string]*lags
	states [len(streamStates)]int // by its place in streamStates
	worst  []standing             // the worst first, shownStreams at most

	began time.Time
	took  time.Duration
}

// States of streams in metrics, and their names.
const (
	streamCurrent = iota // everything that is there is acknowledged
	streamBehind
	streamFailing // it has an error
	streamPaused
)

var streamStates = [...]string{"current", "behind", "failing", "paused"}

// surveyShare is which part of the time surveys may take: with very many streams a
// survey is used for longer.
const surveyShare = 100

// surveyed is where all streams stand now or stood a moment ago; mu is held.
func (a *Agent) surveyed() *survey {
	began := time.Now()
	if last := a.mu.survey; last != nil && last.took > time.Millisecond && began.Sub(last.began) < surveyShare*last.took {
		return last
	}
	v := a.survey()
	v.began, v.took = began, time.Since(began)
	a.mu.survey = v
	return v
}

// survey looks at every stream; mu is held. Those at rest cost little.
func (a *Agent) survey() *survey {
	v := &survey{inputs: map[string]*lags{}}
	var in *lags
	var of *input // whose sums in are
	now := time.Now()
	for _, s := range a.mu.streams {
		x := s.stand(a, now)
		v.all.add(x)
		if of != s.want {
			if of, in = s.want, v.inputs[s.want.Name]; in == nil {
				in = &lags{}
				v.inputs[s.want.Name] = in
			}
		}
		in.add(x)
		switch {
		case x.err != nil:
			v.states[streamFailing]++
		case s.want.Paused:
			v.states[streamPaused]++
		case x.lag > 0:
			v.states[streamBehind]++
		default:
			v.states[streamCurrent]++
		}
		v.note(x)
	}
	return v
}

// note keeps the worst streams.
func (v *survey) note(x standing) {
	if len(v.worst) == shownStreams && worse(x, v.worst[shownStreams-1]) >= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(v.worst, x, worse)
	if len(v.worst) == shownStreams {
		v.worst = v.worst[:shownStreams-1]
	}
	v.worst = slices.Insert(v.worst, i, x)
}

// worse orders streams: those with an error first, then those that lag most.
func worse(x, y standing) int {
	if (x.err != nil) != (y.err != nil) {
		if x.err != nil {
			return -1
		}
		return 1
	}
	return cmp.Or(-cmp.Compare(x.lag, y.lag), strings.Compare(x.s.id.path, y.s.id.path), strings.Compare(x.s.id.topic, y.s.id.topic))
}

// mark is what a stream must get past to have come on.
type mark struct {
	pos line.Position
	at  time.Time
}

// stand says where a stream stands now; Agent.mu is held.
func (s *stream) stand(a *Agent, now time.Time) standing {
	s.shown.Lock()
	defer s.shown.Unlock()
	x := standing{s: s, err: s.shown.err}
	if x.err == nil {
		x.err = s.shown.damage
	}
	if s.shown.calm {
		x.acked = s.shown.read
		return x
	}
	acked, begun := a.journal.Progress(s.shown.ref)
	x.acked = acked
	x.lag = s.shown.lag + int64(begun-acked) + max(0, int64(s.shown.read-begun))
	s.shown.calm = x.lag == 0 && x.err == nil && acked == s.shown.read
	if x.lag == 0 {
		s.shown.mark = nil
		return x
	}
	if m := s.shown.mark; m == nil || acked >= m.pos {
		s.shown.mark = &mark{max(s.shown.read, acked) + 1, now}
		if s.shown.lag == 0 { // all is read, and only acknowledgements are missing
			s.shown.mark.pos--
		}
	}
	x.behind = now.Sub(s.shown.mark.at)
	return x
}

// status is one stream's; Agent.mu is held.
func (x standing) status(a *Agent) etcdconf.StreamStatus {
	s := x.s
	s.shown.Lock()
	defer s.shown.Unlock()
	st := etcdconf.StreamStatus{
		Path: s.id.path, Generation: s.shown.generation.String(), Input: s.want.Name, Topic: s.id.topic,
		Partition: s.shown.partition, Position: int64(x.acked), Size: s.shown.size, Lag: x.lag, LagMs: x.behind.Milliseconds(),
	}
	if g, ok := a.journal.Get(s.shown.ref); ok {
		st.Skipped, st.Lost, st.PossibleDoubles = g.Skips.Filtered+g.Skips.Overlong+max(0, int64(g.From)), g.Lost, g.Doubles
	}
	if x.err != nil {
		st.Error = x.err.Error()
	}
	return st
}
