package agent

import (
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
	id   streamID
	f    *follow.Stream
	in   *input               // whose settings frame its lines
	want *input               // guarded by Agent.mu: what in is, or is about to be
	lane atomic.Pointer[lane] // who owns it; set under Agent.mu, nil: nobody
	told atomic.Bool          // a hint is on its way to the lane

	fresh  bool // the journal does not know its path yet: its first position goes there at once
	opened int  // descriptors, as last counted

	sources map[follow.ID]*source
	queued  bool          // in the lane's ready list
	leaving bool          // no more is read; handed back when all is acknowledged
	resting bool          // paused
	held    *follow.Chunk // read, and kept for the next lane
	looked  time.Time
	day     int64     // since 1970, on which the journal was told last that its files are there
	active  time.Time // when something was last read

	shown struct {
		sync.Mutex
		generation line.Generation
		partition  int32
		read       line.Position
		ref        journal.Ref // of the generation that was read last
		size, lag  int64
		err        error
		done       bool // its path leads nowhere and everything was read
	}
}

// source is one generation of a stream.
type source struct {
	*batch.Source
	known   journal.Generation // as the journal has it
	skipped line.Position      // up to where skipped bytes are journaled
	final   bool               // no more of it is expected; if some comes, the journal knows where it was
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
		Began: c.Began, Head: c.Head, HeadLength: c.HeadLength, Ended: c.Gone, Partition: partition,
		Position: c.Start - line.Position(c.Skipped),
	}
}

// source finds the chunk's generation, or takes it up in the journal; what the journal
// does not know yet about it is written down.
func (s *stream) source(j *journal.Journal, partition int32, c follow.Chunk) (*source, error) {
	src := s.sources[c.ID]
	if src != nil {
		src.final = c.Final
	}
	if src != nil && src.known.HeadLength == c.HeadLength && src.known.Head == c.Head && src.known.Ended == c.Gone {
		return src, nil
	}
	g, err := j.Register(generation(s.id.topic, partition, c))
	if err != nil {
		return nil, err
	}
	if src == nil {
		src = &source{Source: s.in.framer.Source(g.Ref, g.Name, g.Path, g.Begun, g.Carry), skipped: g.Begun}
		s.sources[c.ID] = src
	}
	src.known, src.final = g, c.Final
	return src, nil
}

// reframe lets other settings frame what comes from now on.
func (s *stream) reframe(in *input) {
	s.in = in
	for _, src := range s.sources {
		sent := src.Sent
		src.Source = in.framer.Source(src.Ref, src.known.Name, src.known.Path, src.End, src.Carry)
		src.Sent = sent
	}
}

// acknowledged says whether every line that was read is acknowledged, and lets go of
// generations that are over.
func (s *stream) acknowledged(j *journal.Journal) bool {
	all := true
	for id, src := range s.sources {
		acked, begun := j.Progress(src.Ref)
		switch {
		case acked < begun || begun < src.Sent:
			all = false
		case src.final && src.End <= max(src.Sent, src.skipped):
			delete(s.sources, id)
		}
	}
	return all
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
	news := err != nil && (s.shown.err == nil || s.shown.err.Error() != err.Error())
	s.shown.err = err
	return news
}
