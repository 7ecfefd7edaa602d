package agent

import (
	"time"

	"github.com/loghaul/loghaul/agent/follow"
)

// A stream is asleep while its file is read to its end, acknowledged and closed, and
// nothing came for a while: then it is no more than what a stat said last. It wakes up when
// the next one says something else, and goes on at what the journal knows, as after a
// restart. Of 100,000 files nearly all are asleep. Up to idleFiles descriptors nobody is,
// because a file that is open is read on when it is deleted.

// rise wakes a stream up. Its lane calls it, or whoever holds Agent.mu while no lane has it.
func (s *stream) rise(a *Agent, t *topic) {
	var resume []follow.Checkpoint
	for _, g := range a.journal.At(s.id.topic, s.id.path) {
		resume = append(resume, checkpoint(g))
	}
	s.awake = &awake{f: follow.New(follow.Config{
		Path: s.id.path, Resume: resume, Rested: s.seen, FromEnd: s.fromEnd && len(resume) == 0, MaxLine: int(s.in.MaxLineBytes), LongLines: s.in.LongLines,
		DeletedAge: a.cfg.DeletedAge, Allow: a.access.Check, Owners: t.owners, Spool: spooler{a, s.id.topic}, Found: spooler{a, s.id.topic}.found, Archives: a.cfg.Once, Unpacking: a.unpacking,
		Known: t.journaled, Logger: a.log,
	})}
	s.seen = follow.Seen{}
	if a.cfg.Once {
		s.f.Finish()
	}
}

// holding says whether a chunk was read that waits for the stream's next lane.
func (s *stream) holding() bool { return s.awake != nil && s.held != nil }

// close ends a stream that no lane has any more, or whose lane ends.
func (s *stream) close(a *Agent) {
	s.f.Close()
	s.exposed = a.exposed.expose(s, s.exposed, nil)
	a.files.count(s, 0, false, time.Now())
}

// stirs says whether something became of the file of s, which is asleep, and wakes it up
// then.
func (l *lane) stirs(s *stream, now time.Time) bool {
	seen, err := follow.See(s.id.path)
	if err == nil && seen == s.seen && seen != (follow.Seen{}) {
		l.enrol(s, now)
		l.remember(s, now)
		return false
	}
	s.rise(l.a, l.topic)
	return true
}

// slumber lets s fall asleep if it has nothing to do but to wait, and the journal knows all
// of it.
func (l *lane) slumber(s *stream, now time.Time) {
	if s.awake == nil || !l.streams[s] || s == l.taken || l.a.cfg.Once || s.queued || s.leaving || s.ending || s.held != nil || s.opened > 0 || now.Sub(s.active) < idleAfter {
		return
	}
	if _, timed := l.timed[s]; timed || l.closing[s] || l.trailing[s] || len(s.sources) > 0 {
		return // sources of its are dropped when the journal says the same (slim)
	}
	if _, dozes := l.dozing[s]; dozes || !s.journaled(l.a) {
		return
	}
	ref, read := s.shown.ref, s.shown.read // only this goroutine writes them
	seen, id, at, ok := s.f.Rest()
	if !ok {
		return
	}
	if g, known := l.a.journal.Known(s.id.topic, journalID(id)); known {
		ref, read = g.Ref, at
	}
	s.exposed = l.a.exposed.expose(s, s.exposed, nil)
	s.seen, s.awake = seen, nil
	s.shown.Lock()
	defer s.shown.Unlock()
	s.shown.ref, s.shown.read, s.shown.generation = ref, read, id.Generation()
	s.shown.size, s.shown.lag, s.shown.done = seen.Size(), 0, false
}

// journaled says whether all that a stream knows is in the journal, under its own path, and
// nothing was wrong with it.
func (s *stream) journaled(a *Agent) bool {
	cps := s.f.Checkpoints()
	if len(cps) != 1 {
		return false
	}
	g, ok := a.journal.Known(s.id.topic, journalID(cps[0].ID))
	if !ok || g.Ended || g.Path != s.id.path || !g.Acknowledged() || g.Begun != cps[0].Position || g.HeadLength != cps[0].HeadLength || g.Head != cps[0].Head {
		return false
	}
	s.shown.Lock()
	defer s.shown.Unlock()
	return s.shown.err == nil && s.shown.damage == nil
}
