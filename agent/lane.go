package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/produce"
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
	turn  int // whose turn it is in a spread lane
	log   *slog.Logger

	wake chan struct{} // there is mail, or an answer came; capacity 1
	mail struct {
		sync.Mutex
		in       []func(context.Context) // to be done by the lane's goroutine
		inFlight int
		idle     bool // nothing to read, nothing to send, and everything was looked at
	}

	streams  map[*stream]bool
	ready    []*stream // those with something to read, in turn
	leaving  map[*stream]bool
	trailing map[*stream]bool      // their last bytes may have been skipped
	dozing   map[*stream]time.Time // slowed down by their input's rate until then
	batch    *batch.Batch
	input    *input // of the batch's lines
	sweep    time.Time
	bufs     buffers
}

func newLane(a *Agent, t *topic, part int32, parts []*produce.Partition) *lane {
	return &lane{a: a, topic: t, part: part, parts: parts, log: a.log.With("topic", t.name), wake: make(chan struct{}, 1),
		streams: map[*stream]bool{}, leaving: map[*stream]bool{}, dozing: map[*stream]time.Time{}, trailing: map[*stream]bool{}, bufs: buffers{budget: a.budget}}
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
	defer func() {
		for s := range l.streams {
			s.f.Close()
			l.a.opened.Add(int64(-s.opened))
		}
	}()
	for ctx.Err() == nil {
		l.takeMail(ctx)
		now := time.Now()
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
	s.shown.Lock()
	s.shown.partition = l.part
	s.shown.Unlock()
	s.leaving = false
	if s.fresh {
		s.fresh = false
		l.settle(ctx, s)
	}
	if s.held != nil {
		l.push(s)
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

// closeSome counts a stream's descriptors and, when there are too many in all, closes
// those of this one; reading opens them again.
func (l *lane) closeSome(s *stream) {
	n := s.f.Open()
	if all := l.a.opened.Add(int64(n - s.opened)); all > int64(l.a.cfg.MaxOpen) {
		still := s.f.Release()
		l.a.opened.Add(int64(still - n))
		n = still
	}
	s.opened = n
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
	l.ready, s.queued = l.ready[1:], false
	if s.leaving || s.resting {
		return nil
	}
	now := time.Now()
	if until := s.in.limit.blocked(now); !until.IsZero() {
		l.dozing[s] = until
		return nil
	}
	if err := l.bufs.enter(ctx, l.size(s)); err != nil {
		return err
	}
	if l.batch == nil {
		l.batch = batch.New(len(l.bufs.read))
	}
	c, err := l.next(ctx, s)
	switch {
	case errors.Is(err, follow.ErrIdle):
		l.trailing[s] = true
		s.show(nil, nil)
		l.closeSome(s)
		return nil
	case err != nil:
		if s.trouble(err) {
			l.log.Warn("a file cannot be read now; it is tried again", "path", s.id.path, "err", err)
			l.a.metrics.troubles.WithLabelValues("read").Inc()
		}
		return nil
	}
	s.active, l.bufs.used = now, now
	l.push(s)
	l.closeSome(s)
	return l.take(ctx, s, c, now)
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
		if err := l.bufs.enter(ctx, follow.BufferSize(int(s.in.MaxLineBytes))); err != nil {
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
	return readLarge
}

// take puts a chunk into batches and sends those that are full.
func (l *lane) take(ctx context.Context, s *stream, c follow.Chunk, now time.Time) error {
	if l.moves(s, c) {
		return nil
	}
	var src *source
	if err := l.insist(ctx, func() (err error) {
		src, err = s.source(l.a.journal, l.part, c)
		return err
	}); err != nil {
		return err
	}
	l.a.metrics.skipped.Add(c.Skipped)
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
		n := l.batch.Add(src.Source, c)
		if c = batch.Rest(c, n); len(c.Data) > 0 {
			if err := l.send(ctx); err != nil {
				return err
			}
		}
	}
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

// leave stops reading a stream; it is handed back when all of it is acknowledged.
func (l *lane) leave(s *stream) {
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
		if pause(ctx, wait); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
