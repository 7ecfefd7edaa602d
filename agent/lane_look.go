package agent

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
)

const (
	looksAtOnce  = 256                    // between two of them the lane reads
	lookSoon     = 10 * time.Millisecond  // the least between two rounds of looks
	lookTogether = 250 * time.Millisecond // looks that nothing hurries are made together
)

// look stats the streams whose time has come and sets the next time.
func (l *lane) look(ctx context.Context, now time.Time) {
	l.sweep = now.Add(lookBusy)
	busy, idle, deaf := l.a.paces()
	n := l.round(&l.busy, busy, now, looksAtOnce)
	n = l.round(&l.unseen, 0, now, n)
	n = l.round(&l.deaf, deaf, now, n)
	l.round(&l.idle, idle, now, n)
	for s, at := range l.timed {
		if !now.Before(at) {
			l.lookAt(s, now)
		}
	}
	for _, at := range l.timed {
		if at.Before(l.sweep) {
			l.sweep = at
		}
	}
	if least := now.Add(lookSoon); l.sweep.Before(least) && l.unseen.first == nil {
		l.sweep = least
	}
	for s := range l.closing {
		s.acknowledged(l.a.journal) // lets go of those that are over
		l.note(s)
	}
	l.handBack(ctx)
}

// round looks at the streams of r that nobody looked at for as long as every, most of them
// at once, and answers how many more there may be.
func (l *lane) round(r *rota, every time.Duration, now time.Time, most int) int {
	for ; most > 0 && r.first != nil && now.Sub(r.first.looked) >= every; most-- {
		l.lookAt(r.first, now)
	}
	if r.first == nil {
		return most
	}
	at := r.first.looked.Add(every)
	if least := now.Add(lookTogether); most > 0 && at.Before(least) {
		at = least
	}
	if at.Before(l.sweep) {
		l.sweep = at
	}
	return most
}

// note takes up what of s has a time of its own: a quiet time that runs out, and
// generations that are over when they are acknowledged.
func (l *lane) note(s *stream) {
	if at := s.f.Due(); at.IsZero() {
		delete(l.timed, s)
	} else {
		l.timed[s] = at
		if at.Before(l.sweep) {
			l.sweep = at
		}
	}
	if s.f.Behind() {
		l.behind[s] = true
	} else {
		delete(l.behind, s)
	}
	if len(s.sources) > 1 || s.ending {
		l.closing[s] = true
	} else {
		delete(l.closing, s)
	}
}

// lookAt stats one stream.
func (l *lane) lookAt(s *stream, now time.Time) {
	s.looked = now
	s.alarmed.Store(false) // before looking: what is removed from now on is told again
	if s.awake == nil && !l.stirs(s, now) {
		return
	}
	ready, err := s.f.Look()
	s.exposed = l.a.exposed.expose(s, s.exposed, s.f.Exposed())
	if s.trouble(err) {
		l.log.Warn("a file cannot be followed now; it is tried again", "path", s.id.path, "err", err)
		l.a.metrics.troubles.WithLabelValues("look").Inc()
	}
	if l.streams[s] {
		l.enrol(s, now)
		l.note(s)
	}
	if ready {
		l.push(s)
	}
	l.closeSome(s, ready, now)
	l.remember(s, now)
	s.show(nil, err)
	l.slumber(s, now)
}

// remember tells the journal once a day that the stream's files are still there: one
// that is not written for weeks must not be forgotten, or it would be sent again.
func (l *lane) remember(s *stream, now time.Time) {
	if today := int32(now.Unix() / 86400); s.day != today {
		if s.day = today; s.awake == nil {
			l.a.journal.SawRef(s.shown.ref)
			return
		}
		for _, cp := range s.f.Checkpoints() {
			l.a.journal.Saw(s.id.topic, journal.ID{FS: cp.ID.FS, Inode: cp.ID.Inode, Birth: cp.ID.Birth, Cut: cp.ID.Cut})
		}
	}
}

// hint takes up that a file was written.
func (l *lane) hint(s *stream) {
	s.told.Store(false) // before looking: what is written from now on is told again
	if l.streams[s] && (!s.queued || s.alarmed.Load()) {
		l.lookAt(s, time.Now())
	}
}

// rest waits until there is something to do.
func (l *lane) rest(ctx context.Context, now time.Time) {
	l.skips()
	l.handBack(ctx)
	l.nap(now)
	if len(l.ready) > 0 {
		return
	}
	until := l.sweep
	if l.batch != nil && !l.batch.Empty() && l.batch.Due().Before(until) {
		until = l.batch.Due()
	}
	for _, at := range l.dozing {
		if at.Before(until) {
			until = at
		}
	}
	l.mail.Lock()
	l.mail.idle = len(l.mail.in) == 0 && len(l.dozing) == 0 && len(l.behind) == 0 && l.unseen.first == nil && (l.batch == nil || l.batch.Empty())
	l.mail.Unlock()
	t := time.NewTimer(until.Sub(now))
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.wake:
	case <-ctx.Done():
	}
}

// wakeDozers puts streams back into the ready list that have paid off what they read.
func (l *lane) wakeDozers(now time.Time) {
	for s, at := range l.dozing {
		if !now.Before(at) {
			delete(l.dozing, s)
			l.push(s)
		}
	}
}

// nap gives the buffers back when they were not needed for a while.
func (l *lane) nap(now time.Time) {
	if l.batch != nil && l.batch.Empty() && l.inFlight() == 0 && l.bufs.idle(now) {
		l.batch = nil
		l.bufs.release()
	}
}
