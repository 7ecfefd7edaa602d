package follow

import (
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Owners says which Stream follows which file, and how far files without a
// Stream have been read, so that one file that several names lead to, at once or
// one after the other, is read once. It is shared by the Streams of one topic and
// safe for concurrent use.
type Owners struct {
	mu struct {
		sync.Mutex
		files map[fileKey]*Stream
		known map[nodeKey][]Checkpoint // of files that no Stream holds, oldest life first
		order []nodeKey                // of known, oldest first, so that it stays bounded
		over  map[nodeKey]Checkpoint   // of files whose last known life is over: deleted, truncated or moved away
		ends  []nodeKey                // of over, oldest first
		homes map[string]*home         // by path
		told  bool                     // that archives are left alone
	}
}

// home is a path that has a Stream of its own.
type home struct {
	stream *Stream
	begun  bool // it has looked for what it knows from before
}

// nodeKey is what a Checkpoint and a file have in common whatever the
// filesystem calls itself today.
type nodeKey struct {
	inode uint64
	birth int64
}

// knownMost bounds the files without a Stream that are remembered.
const knownMost = 1 << 17

// NewOwners makes an Owners that knows the checkpoints of a journal.
func NewOwners(known []Checkpoint) *Owners {
	o := &Owners{}
	o.mu.files = make(map[fileKey]*Stream)
	o.mu.known = make(map[nodeKey][]Checkpoint)
	o.mu.over = make(map[nodeKey]Checkpoint)
	o.mu.homes = make(map[string]*home)
	for _, cp := range known {
		o.learn(cp)
	}
	return o
}

// learn remembers cp, unless a later life of the file is known.
func (o *Owners) learn(cp Checkpoint) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cp.Ended {
		o.endLocked(cp)
		return
	}
	o.learnLocked(cp)
}

// endLocked remembers that a life of a file is over. The next one must not bear its number, and
// the file may come back from where nobody looked.
func (o *Owners) endLocked(cp Checkpoint) {
	node := nodeKey{cp.ID.Inode, cp.ID.Birth}
	old, ok := o.mu.over[node]
	if ok && old.ID.Cut > cp.ID.Cut {
		return
	}
	o.mu.over[node] = cp
	if !ok {
		o.mu.ends = append(o.mu.ends, node)
	}
	for len(o.mu.ends) > knownMost {
		delete(o.mu.over, o.mu.ends[0])
		o.mu.ends = o.mu.ends[1:]
	}
}

func (o *Owners) learnLocked(cp Checkpoint) {
	key := nodeKey{cp.ID.Inode, cp.ID.Birth}
	cps, seen := o.mu.known[key]
	for i, old := range cps {
		if old.ID.FS == cp.ID.FS {
			if old.ID.Cut <= cp.ID.Cut {
				cps[i] = cp
			}
			return
		}
	}
	o.mu.known[key] = append(cps, cp)
	if !seen {
		o.mu.order = append(o.mu.order, key)
	}
	for len(o.mu.order) > knownMost {
		delete(o.mu.known, o.mu.order[0])
		o.mu.order = o.mu.order[1:]
	}
}

// enter makes path the home of s; begun, that s has looked for what it knows.
func (o *Owners) enter(path string, s *Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.homes[path] = &home{stream: s}
}

func (o *Owners) begun(path string, s *Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.mu.homes[path]; h != nil && h.stream == s {
		h.begun = true
	}
}

func (o *Owners) exit(path string, s *Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.mu.homes[path]; h != nil && h.stream == s {
		delete(o.mu.homes, path)
	}
}

// homeOf says whether another Stream than s has path for its own.
func (o *Owners) homeOf(path string, s *Stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.mu.homes[path]
	return h != nil && h.stream != s
}

// home says whether a Stream has path for its own.
func (o *Owners) home(path string) bool { return o.homeOf(path, nil) }

// tellArchive logs, once for all, that an archive is left alone.
func (o *Owners) tellArchive(log *slog.Logger, path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mu.told {
		o.mu.told = true
		log.Info("archives that match are left alone: --once sends them", "first", path)
	}
}

// held says whether another Stream than s reads the file.
func (o *Owners) held(key fileKey, s *Stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.mu.files[key]
	return h != nil && h != s
}

// overOf is what is known of a file whose last known life is over.
func (o *Owners) overOf(key fileKey) (Checkpoint, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cp, ok := o.mu.over[nodeKey{key.ino, key.birth}]
	return cp, ok
}

// claim gives the file to s, with what is known of it, unless it belongs to
// another Stream: to the one that reads it, or to the one that knew it under its
// first name and has not looked for it yet.
func (o *Owners) claim(key fileKey, s *Stream) (known []Checkpoint, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.mu.files[key]; h != nil && h != s {
		return nil, false
	}
	known = o.mu.known[nodeKey{key.ino, key.birth}]
	for _, cp := range known {
		if h := o.mu.homes[cp.Path]; h != nil && h.stream != s && !h.begun {
			return nil, false
		}
	}
	o.mu.files[key] = s
	return append([]Checkpoint(nil), known...), true
}

// awaited says whether the file is nobody's until the Stream that knew it under its first
// name has looked for it.
func (o *Owners) awaited(key fileKey, s *Stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.files[key] == nil && slices.ContainsFunc(o.mu.known[nodeKey{key.ino, key.birth}], func(cp Checkpoint) bool {
		h := o.mu.homes[cp.Path]
		return h != nil && h.stream != s && !h.begun
	})
}

// await sees to it that the file at the path is looked at again soon if another Stream has
// only to find that it left that one's path: it may have been moved here from another folder.
func (s *Stream) await(now time.Time) {
	if !s.cfg.Owners.awaited(s.foreign, s) {
		s.awaiting = time.Time{}
		return
	}
	if s.awaiting.IsZero() {
		s.awaiting = now
	}
	if s.awaits() {
		s.wake(now.Add(keepWatch))
	}
}

// awaits says whether that is so, and not for ever: the other Stream may be kept from looking.
func (s *Stream) awaits() bool {
	return s.foreign != (fileKey{}) && !s.awaiting.IsZero() && s.now().Sub(s.awaiting) < awaitMost
}

// awaitMost is how long the file is looked at often, and --once waits for it.
const awaitMost = 10 * time.Second

// leave gives the file back, with how far it was read; gone: there is no such file any more.
func (o *Owners) leave(key fileKey, s *Stream, cp Checkpoint, gone bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.files[key] == s {
		delete(o.mu.files, key)
	}
	if !gone {
		o.learnLocked(cp)
		return
	}
	o.endLocked(cp)
	node := nodeKey{cp.ID.Inode, cp.ID.Birth}
	if len(o.mu.known[node]) == 1 {
		delete(o.mu.known, node) // its place in order is dropped in its turn
	}
}

// abandon takes back a claim that came to nothing.
func (o *Owners) abandon(key fileKey, s *Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.files[key] == s {
		delete(o.mu.files, key)
	}
}
