package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/internal/line"
)

// spread is the partition of a lane whose batches go to all partitions in turn.
const spread int32 = -1

// lane carries the lines of all streams that go to one partition of one topic, or,
// spread, to all of them. Its goroutine takes the streams that have something in turn,
// a buffer full each, gathers batches, and sends them.
type lane struct {
	a     *Agent
	topic *topic
	part  int32
	parts []*produce.Partition
	turn  int     // whose turn it is in a spread lane
	taken *stream // it is being read
	log   *slog.Logger

	wake chan struct{} // there is mail, or an answer came; capacity 1
	mail struct {
		sync.Mutex
		in       []func(context.Context) // to be done by the lane's goroutine
		inFlight int
		idle     bool // nothing to read, nothing to send, and everything was looked at
	}

	streams    map[*stream]bool
	ready      []*stream // those with something to read, in turn
	leaving    map[*stream]bool
	trailing   map[*stream]bool      // their last bytes may have been skipped
	dozing     map[*stream]time.Time // slowed down by their input's rate until then
	batch      *batch.Batch
	input      *input // of the batch's lines
	sweep      time.Time
	busy, idle rota                  // whom look asks about, by how often
	deaf       rota                  // idle, and no events tell of them
	unseen     rota                  // nobody has looked at them yet
	timed      map[*stream]time.Time // something of theirs runs out then
	closing    map[*stream]bool      // generations of theirs are over when they are acknowledged
	behind     map[*stream]bool      // a file of theirs waits until the one before it is quiet
	alarmed    atomic.Bool           // one of streams is
	lookAround time.Time             // when watch looks again
	bufs       buffers
}

func newLane(a *Agent, t *topic, part int32, parts []*produce.Partition) *lane {
	return &lane{a: a, topic: t, part: part, parts: parts, log: a.log.With("topic", t.name), wake: make(chan struct{}, 1),
		streams: map[*stream]bool{}, leaving: map[*stream]bool{}, dozing: map[*stream]time.Time{}, trailing: map[*stream]bool{},
		timed: map[*stream]time.Time{}, closing: map[*stream]bool{}, behind: map[*stream]bool{}, bufs: buffers{budget: a.budget}}
}

// tell leaves something to be done by the lane's goroutine. It does not block.
func (l *lane) tell(f func(context.Context)) {
	l.mail.Lock()
	l.mail.in = append(l.mail.in, f)
	l.mail.idle = false
	l.mail.Unlock()
	l.nudge()
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// quiet says whether nothing is left to be done for now.
func (l *lane) quiet() bool {
	l.mail.Lock()
	defer l.mail.Unlock()
	return l.mail.idle && len(l.mail.in) == 0 && l.mail.inFlight == 0
}

func (l *lane) inFlight() int {
	l.mail.Lock()
	defer l.mail.Unlock()
	return l.mail.inFlight
}

// run carries until ctx ends. Lines that are in the batch then were not begun and are
// read again next time.
func (l *lane) run(ctx context.Context) {
	defer l.bufs.release()
	l.a.budget.lanes.Add(1)
	defer l.a.budget.lanes.Add(-1)
	defer func() {
		for s := range l.streams {
			if s.acknowledged(l.a.journal); s.awake != nil { // else what ended just now is looked for again
				s.close(l.a)
			}
		}
	}()
	for ctx.Err() == nil {
		l.takeMail(ctx)
		now := time.Now()
		l.wakeDozers(now)
		if !now.Before(l.sweep) {
			l.look(ctx, now)
		}
		var err error
		switch {
		case l.mustSend(now):
			err = l.send(ctx)
		case len(l.ready) > 0:
			err = l.read(ctx)
		default:
			l.rest(ctx, now)
		}
		if err != nil && ctx.Err() == nil {
			l.log.Error("carrying lines failed; trying again", "partition", l.part, "err", err)
			pause(ctx, time.Second)
		}
	}
}

func (l *lane) takeMail(ctx context.Context) {
	l.mail.Lock()
	in := l.mail.in
	l.mail.in = nil
	l.mail.Unlock()
	for _, f := range in {
		f(ctx)
	}
}

// mustSend says whether the batch goes now: it is old enough, or nobody has more for
// it and nothing else is on the way.
func (l *lane) mustSend(now time.Time) bool {
	if l.batch == nil || l.batch.Empty() {
		return false
	}
	return !now.Before(l.batch.Due()) || len(l.ready) == 0 && l.inFlight() == 0
}

// add takes up a stream.
func (l *lane) add(ctx context.Context, s *stream) {
	l.streams[s] = true
	l.a.followed.Add(1)
	s.shown.Lock()
	s.shown.partition = l.part
	s.shown.Unlock()
	s.leaving = false
	if s.fresh {
		if s.fresh = false; s.awake == nil {
			s.rise(l.a, l.topic)
		}
		l.settle(ctx, s)
	}
	if s.holding() {
		l.push(s)
	}
	if s.awake == nil {
		l.unseen.push(s)
		l.sweep = time.Time{}
		return
	}
	l.lookAt(s, time.Now())
}

// settle journals where a stream begins whose path is new. A restart before its first
// line must not take a later end for its beginning, and must know that the path was
// followed: what was rotated away meanwhile is looked for only then.
func (l *lane) settle(ctx context.Context, s *stream) {
	if _, err := s.f.Look(); err != nil {
		return // said by the next look
	}
	for _, g := range beginnings(s.id.topic, l.part, s.f) {
		l.insist(ctx, func() error { _, err := l.a.journal.Register(g); return err })
	}
}

// push puts a stream in the ready list.
func (l *lane) push(s *stream) {
	if l.streams[s] && !s.queued && !s.leaving && !s.resting {
		s.queued = true
		l.ready = append(l.ready, s)
	}
}

// read takes one buffer full of the stream whose turn it is.
func (l *lane) read(ctx context.Context) error {
	s := l.ready[0]
	l.ready, s.queued, l.taken = l.ready[1:], false, s
	defer func() { l.taken = nil }()
	if s.leaving || s.resting {
		return nil
	}
	now := time.Now()
	if until := s.in.limit.blocked(now); !until.IsZero() {
		l.dozing[s] = until
		return nil
	}
	if until := l.a.cpu.blocked(now); !until.IsZero() {
		l.dozing[s] = until
		return nil
	}
	if n := l.size(s); len(l.bufs.read) < n {
		if err := l.patiently(ctx, func(ctx context.Context) error { return l.bufs.enter(ctx, n, readSmall) }); err != nil {
			return err
		}
	}
	if l.batch == nil {
		l.batch = batch.New(len(l.bufs.read))
	}
	c, err := l.next(ctx, s)
	switch {
	case errors.Is(err, follow.ErrFar):
		l.push(s) // in its turn: the others are not held up
		return nil
	case errors.Is(err, follow.ErrWait):
		l.dozing[s] = now.Add(waitArchive)
		return nil
	case s.damaged(err):
		l.log.Error("an archive cannot be read to its end: what lies behind is lost", "path", s.id.path, "err", err)
		l.push(s)
		return nil
	case errors.Is(err, follow.ErrIdle):
		l.trailing[s] = true
		s.show(nil, nil)
		l.note(s)
		l.closeSome(s, true, now)
		return nil
	case err != nil:
		if s.trouble(err) {
			l.log.Warn("a file cannot be read now; it is tried again", "path", s.id.path, "err", err)
			l.a.metrics.troubles.WithLabelValues("read").Inc()
		}
		return nil
	}
	s.active, l.bufs.used = now, now
	if s.rota != &l.busy {
		l.enrol(s, now)
	}
	l.push(s)
	l.closeSome(s, true, now)
	err = l.take(ctx, s, c, now)
	l.note(s)
	return err
}

// next reads a chunk, with a larger buffer if a long line asks for one.
func (l *lane) next(ctx context.Context, s *stream) (follow.Chunk, error) {
	if s.held != nil {
		c := *s.held
		s.held = nil
		return c, nil
	}
	c, err := s.f.Next(l.bufs.read)
	if errors.Is(err, follow.ErrBuffer) {
		n := follow.BufferSize(int(s.in.MaxLineBytes))
		if err := l.patiently(ctx, func(ctx context.Context) error { return l.bufs.enter(ctx, n, n) }); err != nil {
			return c, err
		}
		c, err = s.f.Next(l.bufs.read)
	}
	return c, err
}

// size is how large a buffer to read the stream into should be.
func (l *lane) size(s *stream) int {
	if s.f.Lag() < readSmall {
		return readSmall
	}
	return l.bufs.budget.large()
}

// take puts a chunk into batches and sends those that are full.
func (l *lane) take(ctx context.Context, s *stream, c follow.Chunk, now time.Time) error {
	if l.moves(s, c) || s.toldBefore(l.a.journal, c) {
		return nil
	}
	var src *source
	if err := l.insist(ctx, func() (err error) {
		src, err = s.source(l.a.journal, l.part, c)
		return err
	}); err != nil {
		return err
	}
	if c.Lost > 0 {
		from := c.Start + line.Position(len(c.Data))
		l.a.journal.Gap(src.Ref, journal.Gap{From: from, To: from + line.Position(c.Lost), AtLeast: c.LostLeast})
		l.a.metrics.lost.Add(c.Lost)
	}
	before := src.Left
	if until := s.in.limit.spend(len(c.Data), now); !until.IsZero() && s.queued {
		l.dozing[s] = until
	}
	for first := true; first || len(c.Data) > 0; first = false {
		if l.input != s.in && !l.batch.Empty() {
			if err := l.send(ctx); err != nil {
				return err
			}
		}
		l.input = s.in
		l.batch.AtMost(l.bufs.budget.fair())
		n := l.batch.Add(src.Source, c)
		if c = batch.Rest(c, n); len(c.Data) > 0 {
			if err := l.send(ctx); err != nil {
				return err
			}
		}
	}
	left := src.Left.Minus(before)
	l.a.metrics.filtered.Add(left.Filtered)
	l.a.metrics.overlong.Add(left.Overlong)
	s.show(src, nil)
	return l.skipFar(ctx, src)
}

// moves says whether the stream must go to another partition before this chunk: a new
// generation goes where its key says, and partitions may have been added. The chunk is
// kept for the other lane, which waits for the last acknowledgement here.
func (l *lane) moves(s *stream, c follow.Chunk) bool {
	if l.part == spread || s.in.Partition != nil || s.sources[c.ID] != nil || c.Start > 0 || len(c.Data) == 0 {
		return false
	}
	if to := l.topic.partition(s.in, c.Path); to == l.part {
		return false
	}
	c.Data = append([]byte(nil), c.Data...)
	s.held = &c
	l.leave(s)
	return true
}

// leave stops reading a stream; it is handed back when all of it is acknowledged. One that
// was handed back meanwhile is another lane's, or nobody's.
func (l *lane) leave(s *stream) {
	if !l.streams[s] {
		return
	}
	s.leaving = true
	l.leaving[s] = true
}

// handBack gives streams back of which everything is acknowledged.
func (l *lane) handBack(ctx context.Context) {
	for s := range l.leaving {
		if !s.acknowledged(l.a.journal) {
			continue
		}
		delete(l.leaving, s)
		delete(l.streams, s)
		delete(l.dozing, s)
		delete(l.trailing, s)
		if s.queued { // else this lane and the next one would read it
			l.ready = slices.DeleteFunc(l.ready, func(x *stream) bool { return x == s })
			s.queued = false
		}
		l.dismiss(s)
		l.a.followed.Add(-1)
		l.a.handedBack(ctx, s)
	}
}

// insist does what a full disk may refuse until it is done: nothing is read meanwhile
// and nothing is forgotten.
func (l *lane) insist(ctx context.Context, f func() error) error {
	for wait, tries := 100*time.Millisecond, 0; ; wait, tries = min(2*wait, 5*time.Second), tries+1 {
		err := f()
		if err == nil && tries > 0 {
			l.a.journalWorks()
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		l.a.journalFails(err)
		if err := l.patiently(ctx, until(time.Now().Add(wait))); err != nil {
			return err
		}
	}
}
