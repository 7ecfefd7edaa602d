package agent

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/line"
)

// streamID is what makes a stream the same one whatever happens to its input: the
// path and the topic.
type streamID struct{ path, topic string }

// stream is one path on its way to one topic. A lane's goroutine owns it; what others
// ask about lies in shown.
type stream struct {
	id     streamID
	*awake                      // nil while it is asleep (sleep.go)
	in     *input               // whose settings frame its lines
	want   *input               // guarded by Agent.mu: what in is, or is about to be
	lane   atomic.Pointer[lane] // who owns it; set under Agent.mu, nil: nobody

	seen       follow.Seen // what its path led to when it fell asleep
	rota       *rota       // in which it waits to be looked at
	prev, next *stream     // in rota
	looked     time.Time
	day        int32 // since 1970, on which the journal was told last that its files are there

	told    atomic.Bool // a hint is on its way to the lane
	alarmed atomic.Bool // a name of one of its files is gone: it is looked at before anything else
	asked   atomic.Bool // to close its descriptors
	fresh   bool        // the journal does not know its path yet: its first position goes there at once
	fromEnd bool        // and that is the end of what is there
	deaf    bool        // no events tell of its folder
	queued  bool        // in the lane's ready list
	leaving bool        // no more is read; handed back when all is acknowledged
	resting bool        // paused

	shown struct {
		sync.Mutex
		generation line.Generation
		partition  int32
		read       line.Position
		size, lag  int64
		ref        journal.Ref // of the generation that was read last
		calm       bool        // nothing is waiting, nothing is unacknowledged, and nothing was shown since
		done       bool        // its path leads nowhere and everything was read
		err        error
		damage     error // of an archive, which stays
		mark       *mark // nil while it does not lag
	}
}

// awake is what a stream needs whose file is being looked into.
type awake struct {
	f       *follow.Stream
	exposed []string // of Agent.exposed

	// Of openFiles, and guarded by it.
	opened int           // descriptors, as last counted
	place  *list.Element // nil: none
	used   time.Time     // when it was last read

	sources map[follow.ID]*source
	ending  bool          // one of sources is gone for good, and the journal does not know yet
	held    *follow.Chunk // read, and kept for the next lane
	active  time.Time     // when something was last read
}

// source is one generation of a stream.
type source struct {
	*batch.Source
	known   journal.Generation // as the journal has it
	skipped line.Position      // up to where skipped bytes are journaled
	final   bool               // no more of it is expected; if some comes, the journal knows where it was
	gone    bool               // and its bytes are nowhere any more, which is journaled when they are acknowledged
}

// checkpoint is what the journal knows of a generation in follow's words. All that was
// begun is settled before a stream is made, so reading goes on where the last batch
// ended.
func checkpoint(g journal.Generation) follow.Checkpoint {
	return follow.Checkpoint{
		ID:   follow.ID{FS: g.ID.FS, Inode: g.ID.Inode, Birth: g.ID.Birth, Cut: g.ID.Cut},
		Path: g.Path, Position: g.Begun, Began: g.Began, Head: g.Head, HeadLength: g.HeadLength,
		Tail: g.Tail, TailLength: g.TailLength, Ended: g.Ended,
	}
}

// generation is a chunk's generation as the journal wants to know it.
func generation(topic string, partition int32, c follow.Chunk) journal.Generation {
	return journal.Generation{
		Topic: topic, ID: journal.ID{FS: c.ID.FS, Inode: c.ID.Inode, Birth: c.ID.Birth, Cut: c.ID.Cut}, Name: c.Generation, Path: c.Path,
		Began: c.Began, Head: c.Head, HeadLength: c.HeadLength, Partition: partition,
		Position: c.Start - line.Position(c.Skipped),
	}
}

// source finds the chunk's generation, or takes it up in the journal; what the journal
// does not know yet about it is written down.
func (s *stream) source(j *journal.Journal, partition int32, c follow.Chunk) (*source, error) {
	src := s.sources[c.ID]
	s.ending = s.ending || c.Gone
	if src != nil {
		src.final, src.gone = c.Final, c.Gone
	}
	if src != nil && src.known.HeadLength == c.HeadLength && src.known.Head == c.Head && !src.known.Ended {
		return src, nil
	}
	g, err := j.Register(generation(s.id.topic, partition, c))
	if err != nil {
		return nil, err
	}
	if src == nil {
		src = &source{Source: s.in.framer.Source(g.Ref, g.Name, g.Path, g.Begun, g.Carry), skipped: g.Begun}
		if s.sources == nil {
			s.sources = map[follow.ID]*source{}
		}
		s.sources[c.ID] = src
	}
	src.known, src.final, src.gone = g, c.Final, c.Gone
	return src, nil
}

// reframe lets other settings frame what comes from now on.
func (s *stream) reframe(in *input) {
	s.in = in
	if s.awake == nil {
		return
	}
	for _, src := range s.sources {
		sent, left, noted := src.Sent, src.Left, src.Noted
		src.Source = in.framer.Source(src.Ref, src.known.Name, src.known.Path, src.End, src.Carry)
		src.Sent, src.Left, src.Noted = sent, left, noted
	}
}

// toldBefore says whether a chunk says no more than that a generation is gone that the
// journal knows to be so.
func (s *stream) toldBefore(j *journal.Journal, c follow.Chunk) bool {
	if !c.Gone || len(c.Data) > 0 || c.Skipped > 0 || c.Lost > 0 || s.sources[c.ID] != nil {
		return false
	}
	g, ok := j.Known(s.id.topic, journalID(c.ID))
	return ok && g.Ended
}

// acknowledged says whether every line that was read is acknowledged, and lets go of
// generations that are over. That one is gone for good is journaled only now: a crash
// before may have left lines of it that are read, not begun, and in the spool.
func (s *stream) acknowledged(j *journal.Journal) bool {
	if s.awake == nil {
		return true
	}
	all := true
	s.ending = false
	for id, src := range s.sources {
		acked, begun := j.Progress(src.Ref)
		switch {
		case acked < begun || begun < src.Sent:
			all = false
		case src.final && src.End <= max(src.Sent, src.skipped):
			if !src.gone || s.bury(j, src) == nil {
				delete(s.sources, id)
			}
		}
		s.ending = s.ending || src.gone && s.sources[id] != nil
	}
	return all
}

// settled says whether everything of the stream is read and acknowledged.
func (s *stream) settled(j *journal.Journal) bool {
	if s.held != nil || s.ending || s.f.Lag() > 0 {
		return false
	}
	for _, src := range s.sources {
		if acked, begun := j.Progress(src.Ref); acked != begun || begun != src.End {
			return false
		}
	}
	return true
}

// slim forgets, of a stream that rests, what the journal says as well.
func (s *stream) slim(j *journal.Journal) {
	if len(s.sources) == 0 || !s.settled(j) {
		return
	}
	for _, src := range s.sources {
		if src.final || src.gone || src.Left != src.Noted {
			return
		}
	}
	s.sources = nil
}

// bury journals that a generation is gone for good.
func (s *stream) bury(j *journal.Journal, src *source) error {
	g := src.known
	g.Ended = true
	_, err := j.Register(g)
	return err
}

// show publishes where the stream stands.
func (s *stream) show(src *source, err error) {
	size, lag, done := s.f.Size(), s.f.Lag(), s.f.Done()
	s.shown.Lock()
	defer s.shown.Unlock()
	if src != nil {
		s.shown.generation, s.shown.read, s.shown.ref = src.known.Name, src.End, src.Ref
	}
	s.shown.size, s.shown.lag, s.shown.done = size, lag, done
	s.shown.calm = s.shown.calm && src == nil && lag == 0
	if !errors.Is(err, follow.ErrIdle) {
		s.shown.err = err
	}
}

// hinted passes on that the file was written, once until the lane has looked.
func (s *stream) hinted() {
	if l := s.lane.Load(); l != nil && !s.told.Swap(true) {
		l.tell(func(context.Context) { l.hint(s) })
	}
}

// trouble publishes an error, nil when it has passed; it answers whether it is news.
func (s *stream) trouble(err error) bool {
	s.shown.Lock()
	defer s.shown.Unlock()
	s.shown.calm = s.shown.calm && err == nil
	news := err != nil && (s.shown.err == nil || s.shown.err.Error() != err.Error())
	s.shown.err = err
	return news
}
