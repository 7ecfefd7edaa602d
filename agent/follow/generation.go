package follow

import (
	"bytes"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/loghaul/loghaul/internal/line"
)

// generation is one inode's bytes from 0 until they are truncated or deleted,
// and how far they have been handed on.
type generation struct {
	id   ID
	gen  line.Generation
	path string  // the first path: the key's
	born int64   // when this life began, Unix ns; 0 where the filesystem does not say
	name string  // where the file was last found
	key  fileKey // which file it is
	file handle  // closed when released

	pos      line.Position // the next byte to hand on
	state    lineState     // where in a line pos is
	skipped  int64         // bytes dropped since the last chunk
	tail     uint64        // hash of the tailLen bytes before pos
	tailLen  int
	head     uint64 // hash of the first headLen bytes
	headLen  int
	heading  *xxhash.Digest // goes on hashing until headMost bytes are in
	headDone bool           // there is no hashing on: the first bytes are not to be had any more
	waiting  []byte         // the fragment after pos, as far as it is kept, to know it again and to hand it on when it is cut off
	frag     int64          // length of that fragment

	size     int64     // as last seen
	peak     int64     // the largest size seen
	mtime    int64     // as last seen by Look, Unix ns
	grown    time.Time // when it was last seen to have grown, or was passed over by its path
	away     bool      // the path leads elsewhere
	deleted  time.Time // when its last name was seen to be gone
	stirred  bool      // Look saw it change, and its end has not been read since
	ending   bool      // nobody writes to it any more, or its age has run out: its end is the end
	forsaken bool      // and the first is so
	copied   bool      // its bytes lie in the copy that a rotator made; the file itself was truncated
	unsure   bool      // nothing was read of it yet, and other lives of its file may have come and gone since it was taken in
	asked    int64     // mtime when they were looked for

	missing      int64      // bytes behind its end that were written and can never be read
	missingLeast bool       // and there may have been more
	arch         *inArchive // nil unless it is read from an archive
	*spooling               // nil while it has a name and nothing is in doubt about that
}

// spooling is how far a generation without a name has come into the spool.
type spooling struct {
	kept       line.Position // up to where it is kept
	keptLine   line.Position // where the line begins that kept lies in
	keptTail   uint64        // hash of the keptLen bytes before kept
	keptLen    int
	keptSize   int64 // of the file, and whether nobody wrote to it, as the spool knows it
	keptWhole  bool
	unkept     error // why the last try kept less than there was
	toldUnkept bool
	starved    time.Time // since when nothing was acknowledged beyond starvedAt while there was no room
	starvedAt  line.Position
	sought     time.Time // when a name was looked for in vain, zero while one leads to it
}

// waitingMost bounds the bytes of a fragment that are kept in memory.
const waitingMost = 4096

func newGeneration(id ID, path string, f file, now time.Time) *generation {
	return &generation{id: id, gen: id.Generation(), path: path, born: id.Birth, name: f.name, key: f.info.key, file: f.handle,
		size: f.info.size, peak: f.info.size, mtime: f.info.mtime, grown: now}
}

// seek goes to pos and takes from the file the hashes of the bytes around it,
// and, after a start in the middle of a line, how far into the line pos is.
func (g *generation) seek(pos line.Position, c cutter) error {
	g.pos, g.tailLen, g.headLen, g.heading, g.state = pos, 0, 0, nil, lineState{}
	if pos == 0 {
		return nil
	}
	var b [headMost]byte
	n, err := g.file.pread(b[:min(int64(headMost), int64(pos))], 0)
	if err != nil {
		return fmt.Errorf("reading %s: %w", g.name, err)
	}
	g.heads(b[:n])
	from := max(int64(pos)-tailMost, 0)
	if n, err = g.file.pread(b[:int64(pos)-from], from); err != nil {
		return fmt.Errorf("reading %s: %w", g.name, err)
	}
	g.tail, g.tailLen = Tail(b[:n])
	if n == 0 || b[n-1] == '\n' {
		return nil
	}
	start, err := lineStart(g.file, int64(pos))
	if err != nil {
		return fmt.Errorf("reading %s: %w", g.name, err)
	}
	g.state = c.resume(int64(pos) - start)
	return nil
}

// lineStart looks back from pos for the first byte of its line.
func lineStart(f handle, pos int64) (int64, error) {
	start, _, err := lineBefore(f, pos, 0)
	return start, err
}

// lineBefore looks back from pos to floor for the first byte of its line; it is floor,
// and not found, when no line ends between them.
func lineBefore(f handle, pos, floor int64) (start int64, found bool, err error) {
	b := make([]byte, min(64<<10, max(pos-floor, 0)))
	for pos > floor {
		from := max(pos-int64(len(b)), floor)
		n, err := f.pread(b[:pos-from], from)
		if err != nil {
			return 0, false, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return from + int64(i) + 1, true, nil
		}
		pos = from
	}
	return floor, false, nil
}

// heads adds bytes, the next ones of the generation, to the hash of its head.
func (g *generation) heads(next []byte) {
	if g.headLen >= headMost || len(next) == 0 || g.headDone {
		return
	}
	if g.heading == nil {
		g.heading = xxhash.New()
	}
	next = next[:min(len(next), headMost-g.headLen)]
	g.heading.Write(next)
	g.headLen += len(next)
	g.head = g.heading.Sum64()
	if g.headLen == headMost {
		g.heading = nil
	}
}

// advance moves past n bytes of data, the bytes at pos, of which the first skip
// are dropped. buf holds data and, before it, the tailLen bytes before pos.
func (g *generation) advance(buf []byte, skip, n int) {
	data := buf[g.tailLen : g.tailLen+skip+n]
	if g.headLen < headMost {
		g.heads(data)
	}
	g.tail, g.tailLen = Tail(buf[:g.tailLen+skip+n])
	g.pos += line.Position(skip + n)
	g.skipped += int64(skip)
	g.frag, g.waiting = 0, g.waiting[:0]
}

// wait remembers rest, the fragment at pos that is not a whole line yet.
func (g *generation) wait(rest []byte) {
	g.frag = int64(len(rest))
	g.waiting = append(g.waiting[:0], rest[:min(len(rest), waitingMost)]...)
}

// refuted says that buf, read from the tail before pos on, is not what the
// generation goes on with: its file has been truncated, and perhaps has grown again.
// eof: buf ends at the end of the file.
func (g *generation) refuted(buf []byte, eof bool) bool {
	if len(buf) < g.tailLen {
		return true
	}
	if g.tailLen > 0 && xxhash.Sum64(buf[:g.tailLen]) != g.tail {
		return true
	}
	rest := buf[g.tailLen:]
	if eof && int64(len(rest)) < g.frag {
		return true
	}
	k := min(len(rest), len(g.waiting))
	return !bytes.Equal(rest[:k], g.waiting[:k])
}

// verify says whether f holds what cp has seen of its generation.
func verify(f file, cp Checkpoint) (bool, error) {
	if f.info.size < int64(cp.Position) || f.info.size < int64(cp.HeadLength) {
		return false, nil
	}
	var b [headMost]byte
	if cp.HeadLength > 0 && cp.HeadLength <= headMost {
		n, err := f.pread(b[:cp.HeadLength], 0)
		if err != nil {
			return false, err
		}
		if n < cp.HeadLength || xxhash.Sum64(b[:n]) != cp.Head {
			return false, nil
		}
	}
	if cp.TailLength > 0 && cp.TailLength <= tailMost && int64(cp.TailLength) <= int64(cp.Position) {
		n, err := f.pread(b[:cp.TailLength], int64(cp.Position)-int64(cp.TailLength))
		if err != nil {
			return false, err
		}
		if n < cp.TailLength || xxhash.Sum64(b[:n]) != cp.Tail {
			return false, nil
		}
	}
	return true, nil
}

// hidden says that no name is known that leads to the file, though it has one.
func (g *generation) hidden() bool { return g.spooling != nil && !g.sought.IsZero() }

// release closes the descriptor if the file can be opened again by name.
func (g *generation) release() bool {
	if !g.deleted.IsZero() || g.hidden() || g.file.in != nil {
		return false
	}
	if info, err := g.file.stat(); err != nil || info.links == 0 {
		return false
	}
	g.file.close()
	return true
}

func (g *generation) checkpoint() Checkpoint {
	return Checkpoint{ID: g.id, Path: g.path, Began: g.born, Position: g.pos, Head: g.head, HeadLength: g.headLen,
		Tail: g.tail, TailLength: g.tailLen}
}

// gone says that its bytes can never be read again.
func (g *generation) gone() bool { return !g.deleted.IsZero() || g.copied }

// cutOff is the end of a generation whose bytes are gone: with the fragment that
// was waiting, if all of it was kept.
func (g *generation) cutOff(waiting []byte) Chunk {
	c := g.end(true)
	if len(waiting) > 0 && g.frag == int64(len(waiting)) {
		c.Data = waiting
		if g.state.part > 0 {
			c.Part, c.PartLast = g.state.part, true
		}
	}
	return c
}

// end is the notice that the generation has ended, with the bytes skipped last.
func (g *generation) end(gone bool) Chunk {
	c := Chunk{ID: g.id, Generation: g.gen, Path: g.path, Began: g.born, Start: g.pos, Skipped: g.skipped,
		Final: true, Gone: gone, Head: g.head, HeadLength: g.headLen, Lost: g.missing, LostLeast: g.missingLeast && g.missing > 0}
	g.skipped, g.missing = 0, 0
	return c
}
