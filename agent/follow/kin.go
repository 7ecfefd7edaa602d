package follow

import (
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/loghaul/loghaul/internal/line"
)

// kinship is what a new file under a rotated name (app.log.1) is to the path that it may come
// from (app.log), where a wide pattern (app.log*) gives both a Stream. A file that was
// renamed is known by its inode; a copy has one of its own, and its lines are sent already.
type kinship int

const (
	stranger kinship = iota // it is read from its start
	aCopy                   // of what is followed at the other path, whose Stream reads on in it if it must
	unclear                 // it is still being copied, or that Stream has to be asked
)

// telling is what a Stream lets others know of the generations at its path, when one asks.
type telling struct {
	asked atomic.Bool
	round uint64       // guarded by Owners.mu, as cps is
	cps   []Checkpoint // what it knew at its last answer
}

// ask answers what the Stream of path knew when it was asked last, and how often it
// has answered; round 0 and answers false where no Stream is awake: the journal knows all.
func (o *Owners) ask(path string, s *Stream) (cps []Checkpoint, round uint64, answers bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.mu.homes[path]
	if h == nil || h.stream == s || h.stream == asleep {
		return nil, 0, false
	}
	h.stream.telling.asked.Store(true)
	return h.stream.telling.cps, h.stream.telling.round, true
}

// tell answers who has asked.
func (s *Stream) tell() {
	if !s.telling.asked.Swap(false) {
		return
	}
	cps := s.known()
	s.cfg.Owners.mu.Lock()
	defer s.cfg.Owners.mu.Unlock()
	s.telling.cps = cps
	s.telling.round++
}

// remembers says whether something is known of the file, under whatever path.
func (o *Owners) remembers(key fileKey) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.files[key] != nil || len(o.mu.known[nodeKey{key.ino, key.birth}]) > 0
}

// answerMost is how long an answer is waited for: a Stream that nobody looks at gives none.
const answerMost = time.Minute

// doubtful is a file that the path leads to and that may be a copy.
type doubtful struct {
	key    fileKey
	since  time.Time
	rounds map[string]uint64 // by path: how often its Stream had answered when it was asked first
}

// kin says what the file at the path, of which nothing is known, is to the paths that it
// may have been rotated away from, and where to begin if it is to be read.
func (s *Stream) kin(info fileInfo, now time.Time) (kinship, line.Position) {
	all := slices.DeleteFunc(bases(s.cfg.Path), func(base string) bool { return base == s.cfg.Path })
	if len(all) == 0 || s.knows(info.key) || s.cfg.Owners.remembers(info.key) {
		return stranger, 0
	}
	var cps []Checkpoint
	if s.cfg.Known != nil {
		cps = s.cfg.Known.At(all)
	}
	f, err := openFile(s.cfg.Path, s.cfg.Allow)
	if err != nil || f.info.key != info.key {
		f.close()
		return stranger, 0 // who takes it says what is wrong
	}
	defer f.close()
	if k, from := s.kinOf(f, cps, now); k != stranger || from > 0 {
		return s.decided(k), from
	}
	if s.doubt.key != info.key {
		s.doubt = doubtful{key: info.key, since: now, rounds: map[string]uint64{}}
	}
	waits := false
	for _, base := range all {
		told, round, answers := s.cfg.Owners.ask(base, s)
		if !answers || sureOf(base, cps) {
			continue
		}
		if k, from := s.kinOf(f, told, now); k != stranger || from > 0 {
			return s.decided(k), from
		}
		first, asked := s.doubt.rounds[base]
		if !asked {
			first = round
			s.doubt.rounds[base] = round
		}
		waits = waits || round == first && now.Sub(s.doubt.since) < answerMost
	}
	if waits {
		return s.decided(unclear), 0
	}
	return stranger, 0
}

// decided is k; where nothing is waited for, what is unclear is news.
func (s *Stream) decided(k kinship) kinship {
	if k == unclear && s.finish {
		return stranger
	}
	return k
}

// sureOf says whether cps hold enough of the file that base leads to, so that its Stream
// need not be asked.
func sureOf(base string, cps []Checkpoint) bool {
	info, err := statPath(base)
	return err == nil && slices.ContainsFunc(cps, func(cp Checkpoint) bool {
		return !cp.Ended && cp.HeadLength >= copyLeast && cp.Position > 0 && sameNode(cp, info.key)
	})
}

// kinOf says what f is to the generations of cps.
func (s *Stream) kinOf(f file, cps []Checkpoint, now time.Time) (kinship, line.Position) {
	fresh := recent(f.info.mtime, now)
	for _, cp := range cps {
		if cp.Position == 0 || cp.Began == InArchive || sameNode(cp, f.info.key) {
			continue
		}
		switch {
		case copyOf(f, cp):
			return aCopy, 0
		case f.info.size < int64(cp.Position):
			same, long := s.startsAs(f, cp)
			switch {
			case same && long && (cp.Ended || !fresh): // more was read before the truncation than was copied
				return aCopy, 0
			case same && fresh:
				return unclear, 0
			}
		case f.info.size == int64(cp.Position) && cp.HeadLength == int(cp.Position):
			if same, err := verify(f, cp); err == nil && same { // too short to be sure: what comes is read
				return stranger, cp.Position
			}
		}
	}
	return stranger, 0
}

// startsAs says whether f, which is shorter than what was read of cp, begins as that does: as
// the file that its path still leads to, else by the hash of its head. long: that proves it.
func (s *Stream) startsAs(f file, cp Checkpoint) (same, long bool) {
	size := f.info.size
	if size == 0 {
		return true, false
	}
	base, err := openFile(filepath.Clean(cp.Path), s.cfg.Allow)
	if err == nil {
		defer base.close()
	}
	if err == nil && sameNode(cp, base.info.key) && base.info.size >= size && alike(f, base, size) {
		return true, size >= copyLeast
	}
	if cp.HeadLength < copyLeast || size < int64(cp.HeadLength) {
		return false, false
	}
	var b [headMost]byte
	n, err := f.pread(b[:cp.HeadLength], 0)
	same = err == nil && n == cp.HeadLength && xxhash.Sum64(b[:n]) == cp.Head
	return same, same && cp.HeadLength == headMost
}

// alike says whether the first and the last of size bytes of both are the same.
func alike(a, b file, size int64) bool {
	for _, at := range []int64{0, max(0, size-headMost)} {
		var x, y [headMost]byte
		n := min(int64(headMost), size-at)
		i, err := a.pread(x[:n], at)
		if err != nil {
			return false
		}
		if j, err := b.pread(y[:n], at); err != nil || i != j || x != y {
			return false
		}
	}
	return true
}

// leaveToKin says whether the file that the path leads to is not to be read, now or at all,
// because it is a copy of what another path's Stream reads; and where to begin if it is.
func (s *Stream) leaveToKin(info fileInfo, now time.Time) (leave bool, from line.Position) {
	k, from := s.kin(info, now)
	switch k {
	case aCopy:
		s.cfg.Logger.Info("a copy of a followed file is left to the path that it was copied from", "path", s.cfg.Path)
		s.sealed, s.foreign = info.key, fileKey{}
	case unclear:
		s.foreign = info.key
		s.wake(now.Add(keepWatch))
	default:
		s.doubt = doubtful{}
		return false, from
	}
	s.displace(now)
	return true, 0
}

// gatherFor takes note of a rotated file that came and went at the path unseen and that a
// Stream of its own is to read. Nothing may be known of it for a while yet, and its archive would
// be older than what is known then.
func (s *Stream) gatherFor(sib sibling) {
	if s.knows(sib.info.key) {
		return
	}
	known := s.known()
	if s.cfg.Known != nil { // its own Stream judges by what the journal knows, too
		known = append(known, s.cfg.Known.At([]string{s.cfg.Path})...)
	}
	f, err := s.openSibling(sib)
	if err != nil {
		return // whose it is says what is wrong
	}
	defer f.close()
	if k, from := s.kinOf(f, known, s.now()); k != stranger || from > 0 {
		return
	}
	g := newGeneration(f.id(), sib.name, f, s.now())
	s.others = append(s.others, g.headed())
	s.gathered = true
}
