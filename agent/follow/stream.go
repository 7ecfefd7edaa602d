// Package follow makes one path look like one endless source of whole lines,
// across rotation, truncation, deletion and restarts: each line of each
// generation once, in order, with its place in the source.
package follow

// For maintainers.
//
// What a Stream holds is a queue of generations, oldest first, and a list of
// late ones. The path leads to the last of the queue (at) or nowhere. Look stats
// and moves generations; Next reads the late ones that have grown and then the
// first of the queue, and passes it over to the late ones once it is at its end,
// displaced and quiet. A generation leaves the Stream when it is truncated,
// deleted and read, or too old; Final tells that, and Gone that it is for good.
//
// Whether a file is what it was is never believed: each read begins some bytes
// before the position and compares them. So a truncation is noticed by the read
// itself, with no stat that could race with it.
//
// A generation that lies in an archive only is one that reads a decompressing handle
// (archived.go). Which generation an archive holds is found out when its turn comes, by the bytes
// before the positions of those that begin as it does.
//
// A file that loses its last name is read on through its descriptor, and what of it is
// not acknowledged goes to the spool, where a later process finds it (nameless.go).
//
// What can still go wrong: a file that comes and goes at the path between two
// Looks and is deleted; a file that is deleted while its descriptor
// is released; a regrown file whose last 256 bytes before the position are
// the very same; copies by copytruncate, of less than 256 bytes, that a wide pattern
// follows as files of their own (kin.go).

import (
	"errors"
	"slices"
	"time"

	"github.com/loghaul/loghaul/internal/line"
)

// ErrIdle says that there is nothing to hand on at the moment.
var ErrIdle = errors.New("nothing new")

// ErrBuffer says that the next line is longer than the buffer though no longer
// than MaxLine: call Next again with a buffer of BufferSize(MaxLine) bytes.
var ErrBuffer = errors.New("the next line does not fit into the buffer")

// Chunk is what Next hands on: whole lines of one generation as they lie in the
// source, endings included, or one piece of an over-long line.
//
// The chunks of one generation ascend and are contiguous: Start is the end of
// the chunk before it plus Skipped. Data lies in the buffer that was given to
// Next and is the caller's with it.
type Chunk struct {
	ID         ID              // the generation's identity
	Generation line.Generation // the same, as pos carries it
	Path       string          // the generation's first path, which its key keeps
	Began      int64           // when it began, for its Checkpoint
	Start      line.Position   // of Data's first byte
	Data       []byte          // may be empty where Final is set
	Part       int             // 0: whole lines; 1..: one piece of an over-long line
	PartLast   bool            // the piece that ends its line
	Skipped    int64           // bytes dropped on purpose just before Start
	Final      bool            // nothing more is expected; the last line may lack its ending
	Gone       bool            // Final, and the bytes are gone for good: the generation can be forgotten
	Head       uint64          // hash of the generation's first HeadLength bytes
	HeadLength int             // as far as they have been handed on, 1024 at most
	Lost       int64           // with Final: bytes behind its end that were written and can never be read
	LostLeast  bool            // and there may have been more of them
}

// Stream is one path across its generations. It is for one goroutine at a time.
type Stream struct {
	cfg   Config
	cut   cutter
	begun bool // the generations known from before have been looked for
	first bool // the path has not been looked at yet

	queue     []*generation // oldest first: the first is read, the others wait for its end
	at        *generation   // what the path leads to now: the last of queue, or nil
	late      []*generation // read to their end and passed over; may still grow
	exposed   []string      // names of files that the path has left and that are not acknowledged
	lingering []*generation // at their end for good, held open until they are acknowledged
	newest    int64         // Unix ns: rotated files born up to then are known, or copies
	foreign   fileKey       // what the path leads to though it is not ours to read, zero if none
	awaiting  time.Time     // since when foreign waits for the Stream that knew it elsewhere, zero if it does not
	sealed    fileKey       // what the path leads to, an archive of which nothing more is read
	since     int64         // Unix ns: when the first Look was
	doubt     doubtful      // the file at the path, while it may be a copy
	telling   telling       // what others are told who ask whether theirs is a copy
	sought    []sought      // generations that an archive in queue may hold
	past      []Checkpoint  // of generations let go of, oldest first
	passed    []fileKey     // archives of which nothing more is to be read, oldest first
	others    []Checkpoint  // beginnings of rotated files that other Streams are to read, and Found does not know yet
	gathered  bool          // something was found beside the path, and Found does not know yet
	notices   []Chunk       // ends of generations without data, to be handed on first
	finish    bool          // every end is final
	now       func() time.Time
	lost      int64     // bytes that were there and can never be read
	due       time.Time // when Look should be called again, zero if no time is set
	binary    bool      // NUL bytes have been seen and told
}

// New makes a Stream of cfg, which must be valid. It touches no file before the
// first Look or Next.
func New(cfg Config) *Stream {
	cfg = cfg.withDefaults()
	s := &Stream{cfg: cfg, now: time.Now, first: true, cut: cutter{max: cfg.MaxLine, long: cfg.LongLines}}
	for _, cp := range cfg.Resume {
		cfg.Owners.learn(cp)
	}
	cfg.Owners.enter(cfg.Path, s)
	cfg.Owners.rise(cfg.Rested)
	return s
}

// Next reads the next whole lines into buf, or says ErrIdle, ErrWait or ErrFar. It never waits for
// more to be written. Other errors name the path and pass or stay; the Stream
// goes on with the next call. buf is at least 4096 bytes.
func (s *Stream) Next(buf []byte) (Chunk, error) {
	if !s.begun {
		if _, err := s.Look(); err != nil && !s.begun {
			return Chunk{}, err
		}
	}
	if c, err := s.notice(); err == nil {
		return c, nil
	}
	for g := s.stirredLate(); g != nil; g = s.stirredLate() {
		if c, err := s.read(g, buf); err != ErrIdle {
			return c, err
		}
	}
	for len(s.queue) > 0 {
		g := s.queue[0]
		if c, err := s.read(g, buf); err != ErrIdle {
			return c, err
		}
		if len(s.queue) > 0 && s.queue[0] == g && !s.pass(s.now()) {
			break
		}
	}
	return Chunk{}, ErrIdle
}

// stirredLate is a passed-over file that has more to read, or nil.
func (s *Stream) stirredLate() *generation {
	for _, g := range s.late {
		if g.stirred {
			return g
		}
	}
	return nil
}

// notice hands on the end of a generation that came about while reading.
func (s *Stream) notice() (Chunk, error) {
	if len(s.notices) == 0 {
		return Chunk{}, ErrIdle
	}
	c := s.notices[0]
	s.notices = s.notices[1:]
	return c, nil
}

// Ends takes what Next would hand on first: ends of generations of which nothing is left
// to read. It is for who looks and does not read.
func (s *Stream) Ends() []Chunk {
	ends := s.notices
	s.notices = nil
	return ends
}

// Stored says that the path leads nowhere and that what is left of every generation lies
// in the spool.
func (s *Stream) Stored() bool {
	if !s.begun || s.at != nil || s.foreign != (fileKey{}) || len(s.lingering) > 0 {
		return false
	}
	return !slices.ContainsFunc(s.held(), func(g *generation) bool { return g.file.in == nil || g.arch != nil })
}

// Finish says that what exists now is all there will be: a last line without
// ending is handed on, and no quiet time is waited for.
func (s *Stream) Finish() { s.finish = true }

// Due is when Look should be called though nothing was heard, because a quiet
// time or an age runs out; zero when there is no such time.
func (s *Stream) Due() time.Time { return s.due }

// Behind says that a file waits for the one before it, which has been rotated away and may
// still be written to, or for the Stream of the path that it was known by.
func (s *Stream) Behind() bool { return len(s.queue) > 1 || s.awaits() }

// Exposed are the names of files that the path has left and of which something is not
// acknowledged, as last seen: when one is removed, Look should be called at once.
func (s *Stream) Exposed() []string { return s.exposed }

// Done says that the path leads nowhere and every generation has ended: the
// Stream has nothing left to do.
func (s *Stream) Done() bool {
	return s.begun && s.at == nil && s.foreign == (fileKey{}) && len(s.queue)+len(s.late)+len(s.notices) == 0
}

// Checkpoints are the read positions of the generations that the Stream holds,
// oldest first; an archive that is news unless it turns out to hold a known one is among them.
func (s *Stream) Checkpoints() []Checkpoint {
	cps := make([]Checkpoint, 0, len(s.late)+len(s.queue))
	for _, gs := range [][]*generation{s.late, s.queue} {
		for _, g := range gs {
			if g.told() {
				cps = append(cps, g.checkpoint())
			}
		}
	}
	return cps
}

// Position is the read position in the generation that is being read.
func (s *Stream) Position() line.Position {
	if len(s.queue) == 0 {
		return 0
	}
	return s.queue[0].pos
}

// Size is the size of what the path leads to, as last seen.
func (s *Stream) Size() int64 {
	if s.at == nil {
		return 0
	}
	return s.at.size
}

// Lag is how many bytes, as last seen, have not been handed on.
func (s *Stream) Lag() int64 {
	var lag int64
	for _, g := range s.queue {
		lag += max(g.size-int64(g.pos), 0)
	}
	for _, g := range s.late {
		lag += max(g.size-int64(g.pos), 0)
	}
	return lag
}

// Lost is how many bytes are known to have been written and can never be read:
// they were truncated or deleted before their turn came.
func (s *Stream) Lost() int64 { return s.lost }

// Open is how many descriptors the Stream holds. A Spool holds none between two calls.
func (s *Stream) Open() int {
	n := 0
	for _, g := range s.held() {
		if g.file.open() && (g.file.in == nil || g.arch != nil) {
			n++
		}
	}
	return n + len(s.lingering)
}

// Release closes the descriptors of files that can be opened again by name, and
// says how many stay open. Reading goes on where it was.
func (s *Stream) Release() int {
	n := len(s.lingering)
	for _, g := range s.held() {
		if g.file.open() && (g.file.in == nil || g.arch != nil) && !g.release() {
			n++
		}
	}
	return n
}

// Close closes all files and gives them back to Owners with their read positions. What
// is not acknowledged of files without a name goes to the spool.
func (s *Stream) Close() {
	for _, g := range s.held() {
		if g.arch != nil && !g.arch.chosen {
			s.cfg.Owners.abandon(g.key, s)
			g.file.close()
			continue
		}
		s.keepRest(g)
		s.cfg.Owners.leave(g.key, s, g.checkpoint(), g.gone())
		g.file.close()
	}
	for _, g := range s.lingering {
		s.keepRest(g)
		g.file.close()
	}
	s.cfg.Owners.exit(s.cfg.Path, s)
	s.queue, s.late, s.lingering, s.at = nil, nil, nil, nil
}

// held are all generations of the Stream, oldest first.
func (s *Stream) held() []*generation {
	if len(s.late) == 0 {
		return s.queue
	}
	return append(append(make([]*generation, 0, len(s.late)+len(s.queue)), s.late...), s.queue...)
}
