package follow

import (
	"errors"

	"github.com/loghaul/loghaul/internal/line"
)

// ErrFull is what a Spool answers that may not keep more.
var ErrFull = errors.New("as much is kept of deleted files as --deleted-bytes allows")

// Bytes are those of a generation that do not lie in a file of their own any more: in
// a spool, in an archive. They are read forward, but for a few hundred bytes.
type Bytes interface {
	// ReadAt reads from position at on; fewer bytes than b holds mean the end.
	ReadAt(b []byte, at int64) (int, error)
	// Close lets go of what is open; a later ReadAt may open it again.
	Close() error
}

// Kept is what a Spool has of a generation: the bytes from From to To.
type Kept struct {
	From, To line.Position
	Line     line.Position // where the line begins that From lies in; in a call of Keep, that To lies in
	Size     int64         // of the file as last seen: what lies between To and Size is not kept
	Whole    bool          // nobody wrote to the file any more
	Bytes    Bytes
}

// Spool keeps the bytes of files without a name, which die with the process that has
// them open. It is safe for concurrent use.
type Spool interface {
	// Needed is where what must be kept of a generation begins: what lies before it is
	// acknowledged.
	Needed(id ID) line.Position
	// Keep adds data, the bytes of the generation of cp from g.To on, and returns when
	// they are on the disk. It answers how much was kept, less than all with ErrFull.
	Keep(cp Checkpoint, g Kept, data []byte) (int, error)
	// Find answers what is kept of a generation; false: nothing.
	Find(id ID) (Kept, bool)
}

// stored is a handle on bytes that do not lie in a file of their own.
func stored(b Bytes) handle { return handle{in: b} }

// resumeKept goes on with the generation of cp, whose file is gone, in what the spool has
// of it; in an archive, if one may hold what could not be kept.
func (s *Stream) resumeKept(cp Checkpoint) bool {
	if s.cfg.Spool == nil {
		return false
	}
	if k, ok := s.cfg.Spool.Find(cp.ID); ok && (!k.Whole || k.To < line.Position(k.Size)) && s.seekArchive(cp, goneNotice(cp)) {
		return true
	}
	return s.ontoSpool(cp)
}

// ontoSpool queues the generation of cp from its position on in what the spool has of it.
func (s *Stream) ontoSpool(cp Checkpoint) bool {
	if s.cfg.Spool == nil {
		return false
	}
	k, ok := s.cfg.Spool.Find(cp.ID)
	if !ok || k.To <= cp.Position && k.Size <= int64(cp.Position) {
		return false
	}
	f := file{handle: stored(k.Bytes), name: cp.Path, info: fileInfo{key: fileKey{ino: cp.ID.Inode, birth: cp.ID.Birth}, size: int64(k.To),
		mtime: max(cp.ID.Birth, cp.Began)}} // at least: for its place among archives
	g := newGeneration(cp.ID, cp.Path, f, s.now())
	g.born = max(g.born, cp.Began)
	if err := g.seekKept(cp, k, s.cut); err != nil {
		s.cfg.Logger.Error("what was kept of a deleted file cannot be read", "path", cp.Path, "generation", g.gen.String(), "error", err)
		return false
	}
	s.ontoKept(g, k)
	g.away = true
	s.queue = append(s.queue, g)
	s.cfg.Logger.Info("deleted before it was acknowledged: going on in what was kept of it", "path", cp.Path,
		"generation", g.gen.String(), "position", int64(g.pos), "bytes", int64(k.To-g.pos))
	return true
}

// ontoKept makes g, whose handle is on what is kept of it, a generation that ends there.
func (s *Stream) ontoKept(g *generation, k Kept) {
	g.size = int64(k.To)
	g.missing, g.missingLeast = max(k.Size-int64(max(k.To, g.pos)), 0), !k.Whole
	g.ending, g.stirred = true, true
	if g.deleted.IsZero() {
		g.deleted = s.now()
	}
}

// anchor takes the hash of the bytes before the position from what is kept, which may
// begin just there, and answers the last of them.
func (g *generation) anchor(k Kept) (last byte, err error) {
	at := min(g.pos, k.To)
	var b [tailMost]byte
	n, err := k.Bytes.ReadAt(b[:min(int64(at-k.From), tailMost)], max(int64(at)-tailMost, int64(k.From)))
	if err != nil {
		return 0, err
	}
	if g.tail, g.tailLen = Tail(b[:n]); at < g.pos {
		g.tail, g.tailLen = 0, 0
	}
	if n > 0 {
		last = b[n-1]
	}
	return last, nil
}

// seekKept goes to the position of cp in what is kept of it, or to where that begins.
func (g *generation) seekKept(cp Checkpoint, k Kept, c cutter) error {
	g.pos = max(cp.Position, k.From)
	if g.headDone = g.pos > 0; g.headDone { // else it is hashed from the first byte on, as in a file
		g.head, g.headLen = cp.Head, cp.HeadLength
	}
	last, err := g.anchor(k)
	if err != nil || last == '\n' {
		return err
	}
	at := min(g.pos, k.To)
	start, found, err := lineBefore(g.file, int64(at), int64(k.From))
	if err != nil {
		return err
	}
	if !found {
		start = int64(k.Line)
	}
	g.state = c.resume(int64(g.pos) - start)
	return nil
}
