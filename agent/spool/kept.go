package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/internal/line"
)

// kept is what the store has of one generation on its way to one topic. It holds no
// descriptor between two calls: very many files may go at once.
type kept struct {
	st  *Store
	key Key
	mu  struct {
		sync.Mutex
		segments []*segment // in order; positions missing between two of them were acknowledged
		left     bool       // it is not the store's any more
	}
}

// append writes data behind what is kept, or after a hole of acknowledged bytes, and
// syncs it. It answers how much was kept, less than all with ErrFull.
func (k *kept) append(g follow.Kept, cp follow.Checkpoint, data []byte) (n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.left {
		return 0, errLeft
	}
	last := k.last()
	before := 0 // bytes of data that are kept already
	if last != nil && g.To < last.end {
		before = int(min(int64(last.end-g.To), int64(len(data))))
		g.To, data = g.To+line.Position(before), data[before:]
	}
	if last == nil || last.end != g.To && len(data) > 0 || last.end-last.about.Start >= segmentMost {
		if last, err = k.roll(g, cp); err != nil {
			return 0, err
		}
	}
	room := k.st.take(int64(len(data)))
	var flags uint32
	if g.Whole {
		flags = flagForsake
	}
	if room == 0 && last.sourceSize == g.Size && last.forsaken == g.Whole {
		return before, full(len(data))
	}
	f, err := k.st.cfg.Disk.Open(last.path, os.O_RDWR, 0)
	if err != nil {
		k.st.give(room)
		return before, fmt.Errorf("keeping the rest of %s: %w", cp.Path, err)
	}
	defer f.Close() // what is written is synced below
	wrote, old := data[:room], *last
	buf := make([]byte, 0, frameHead+min(frameMost, len(wrote)))
	for first := true; first || len(wrote) > 0; first = false {
		part := wrote[:min(len(wrote), frameMost)]
		buf = appendFrame(buf[:0], last.end, g.Size, flags, part)
		if _, err = f.WriteAt(buf, last.size); err != nil {
			break
		}
		last.took(frame{length: len(part), position: last.end, sourceSize: g.Size, flags: flags})
		wrote = wrote[len(part):]
	}
	if err == nil {
		// Now, not in the background: the descriptor that these bytes come from is all
		// there is of them, and the position that is answered is believed.
		err = f.Sync()
	}
	if err != nil {
		*last = old // a reader cuts what stands behind it, the next write goes over it
		k.st.give(room)
		return before, fmt.Errorf("keeping the rest of %s in %s: %w", cp.Path, last.path, err)
	}
	return before + int(room), full(len(data) - int(room))
}

// full is ErrFull when something was left over.
func full(left int) error {
	if left > 0 {
		return ErrFull
	}
	return nil
}

func (k *kept) last() *segment {
	if n := len(k.mu.segments); n > 0 {
		return k.mu.segments[n-1]
	}
	return nil
}

// roll begins the next segment at g.To and makes sure that its name is on the disk.
func (k *kept) roll(g follow.Kept, cp follow.Checkpoint) (*segment, error) {
	s := &segment{about: About{Topic: k.key.Topic, ID: cp.ID, Generation: cp.ID.Generation(), Path: cp.Path, Began: cp.Began,
		Head: cp.Head, HeadLength: cp.HeadLength, Start: g.To, Line: g.Line}, end: g.To, sourceSize: -1}
	s.path = filepath.Join(k.st.cfg.Dir, k.key.name(g.To))
	header, err := s.about.header()
	if err != nil {
		return nil, err
	}
	fsys := k.st.cfg.Disk
	f, err := fsys.Open(s.path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err == nil {
		if _, err = f.WriteAt(header, 0); err == nil {
			// The folder has pages of its own: without this the bytes could be on the
			// disk and their name not.
			err = fsys.SyncDir(k.st.cfg.Dir)
		}
		if err != nil {
			f.Close()
			fsys.Remove(s.path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the rest of %s in %s: %w", cp.Path, s.path, err)
	}
	f.Close() // the first append syncs the header as well
	s.size = int64(len(header))
	k.mu.segments = append(k.mu.segments, s)
	return s, nil
}

// what says what is kept, apart from its bytes; false: nothing.
func (k *kept) what() (follow.Kept, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.mu.segments) == 0 {
		return follow.Kept{}, false
	}
	first, last := k.mu.segments[0], k.last()
	for i := len(k.mu.segments) - 1; i > 0; i-- { // from the last hole on
		first = k.mu.segments[i]
		if k.mu.segments[i-1].end != first.about.Start {
			break
		}
		first = k.mu.segments[i-1]
	}
	return follow.Kept{From: first.about.Start, To: last.end, Line: first.about.Line, Size: max(last.sourceSize, int64(last.end)), Whole: last.forsaken, Bytes: k}, true
}

// ReadAt reads what is kept from position at on; fewer bytes than b holds mean its end.
func (k *kept) ReadAt(b []byte, at int64) (n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.mu.segments {
		p := line.Position(at + int64(n))
		if n == len(b) || s.end <= p {
			continue
		}
		if s.about.Start > p {
			if n > 0 {
				return n, nil
			}
			return 0, fmt.Errorf("reading %s at %d: %w", s.path, p, follow.ErrGone)
		}
		m, err := k.read(s, b[n:], p)
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// read reads from one segment.
func (k *kept) read(s *segment, b []byte, at line.Position) (int, error) {
	f, err := k.st.cfg.Disk.Open(s.path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return s.read(f, b, at)
}

// Close has nothing to let go of.
func (k *kept) Close() error { return nil }

// trim removes the segments that are acknowledged; over: nothing is added any more.
// When none is left the store forgets it.
func (k *kept) trim(acked line.Position, over bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.mu.segments) > 0 {
		s := k.mu.segments[0]
		if s.end > acked || s == k.last() && !over && s.sourceSize > int64(s.end) {
			break // it is needed, or it says what could not be kept
		}
		if err := k.st.cfg.Disk.Remove(s.path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("removing what is acknowledged: %w", err)
		}
		k.st.give(int64(s.end - s.about.Start))
		k.mu.segments = k.mu.segments[1:]
	}
	if len(k.mu.segments) == 0 {
		k.mu.left = true
		k.st.mu.Lock()
		delete(k.st.mu.kept, k.key)
		k.st.mu.Unlock()
	}
	return nil
}
