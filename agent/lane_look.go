package agent

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
)

// How often the lane stats what it follows: that is the truth, events are hints.
const (
	lookBusy = time.Second      // files that grew in the last minute
	lookIdle = 10 * time.Second // others, while events work
	lookDeaf = 2 * time.Second  // others, while they do not
)

// look stats the streams whose time has come and sets the next time.
func (l *lane) look(ctx context.Context, now time.Time) {
	idle := lookDeaf
	if l.a.events.Healthy() {
		idle = lookIdle
	}
	l.sweep = now.Add(lookBusy)
	for s := range l.streams {
		due := idle
		if now.Sub(s.active) < time.Minute {
			due = lookBusy
		}
		if at := s.f.Due(); now.Sub(s.looked) >= due || !at.IsZero() && !now.Before(at) {
			l.lookAt(s, now)
		}
		if at := s.f.Due(); !at.IsZero() && at.Before(l.sweep) {
			l.sweep = at
		}
		if len(s.sources) > 1 {
			s.acknowledged(l.a.journal) // lets go of those that are over
		}
	}
	if least := now.Add(10 * time.Millisecond); l.sweep.Before(least) {
		l.sweep = least
	}
	l.handBack(ctx)
}

// lookAt stats one stream.
func (l *lane) lookAt(s *stream, now time.Time) {
	s.looked = now
	ready, err := s.f.Look()
	if s.trouble(err) {
		l.log.Warn("a file cannot be followed now; it is tried again", "path", s.id.path, "err", err)
		l.a.metrics.troubles.WithLabelValues("look").Inc()
	}
	if at := s.f.Due(); !at.IsZero() && at.Before(l.sweep) {
		l.sweep = at
	}
	if ready {
		l.push(s)
	}
	l.closeSome(s)
	l.remember(s, now)
	s.show(nil, err)
}

// remember tells the journal once a day that the stream's files are still there: one
// that is not written for weeks must not be forgotten, or it would be sent again.
func (l *lane) remember(s *stream, now time.Time) {
	if today := now.Unix() / 86400; s.day != today {
		s.day = today
		for _, cp := range s.f.Checkpoints() {
			l.a.journal.Saw(s.id.topic, journal.ID{FS: cp.ID.FS, Inode: cp.ID.Inode, Birth: cp.ID.Birth, Cut: cp.ID.Cut})
		}
	}
}

// hint takes up that a file was written.
func (l *lane) hint(s *stream) {
	s.told.Store(false) // before looking: what is written from now on is told again
	if l.streams[s] && !s.queued {
		l.lookAt(s, time.Now())
	}
}

// rest waits until there is something to do.
func (l *lane) rest(ctx context.Context, now time.Time) {
	l.wakeDozers(now)
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
	l.mail.idle = len(l.mail.in) == 0 && len(l.dozing) == 0 && (l.batch == nil || l.batch.Empty())
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
