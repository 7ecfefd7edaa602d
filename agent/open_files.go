package agent

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	idleFiles = 100         // up to so many descriptors in all, idle files keep theirs
	idleAfter = time.Minute // a file is idle of which nothing was read for so long
)

// openFiles counts the descriptors of followed files over all lanes and says whose are
// to be closed: when there are too many, those of the file that was read longest ago;
// and beyond idleFiles those of idle files, for they are not worth one. Reading opens
// a file again where it was.
type openFiles struct {
	most int
	mu   struct {
		sync.Mutex
		order list.List // of *stream, those with descriptors, the one read longest ago first
		n     int
	}
}

// count notes that s holds n descriptors, and whether it is in use. It answers the stream
// that must close its own, nil: none must.
func (o *openFiles) count(s *stream, n int, used bool, now time.Time) *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.n += n - s.opened
	s.opened = n
	switch {
	case n == 0 && s.place != nil:
		o.mu.order.Remove(s.place)
		s.place = nil
	case n > 0 && s.place == nil && used:
		s.place = o.mu.order.PushBack(s)
	case n > 0 && s.place == nil:
		s.place = o.mu.order.PushFront(s)
	case n > 0 && used:
		o.mu.order.MoveToBack(s.place)
	}
	if used {
		s.used = now
	}
	if o.mu.n <= min(o.most, idleFiles) {
		return nil
	}
	if first := o.mu.order.Front(); first != nil {
		if v := first.Value.(*stream); o.mu.n > o.most || now.Sub(v.used) >= idleAfter {
			return v
		}
	}
	return nil
}

// over says whether there are more descriptors than allowed.
func (o *openFiles) over() bool { return o.open() > o.most }

// open is how many descriptors there are.
func (o *openFiles) open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.n
}

// closeSome counts a stream's descriptors and closes those of others, or its own, when
// there are too many in all. used: it is being read.
func (l *lane) closeSome(s *stream, used bool, now time.Time) {
	const most = 8 // the next call goes on
	v := l.a.files.count(s, s.f.Open(), used, now)
	for range most {
		if v == nil {
			return
		}
		if !l.streams[v] {
			if other := v.lane.Load(); other != nil && other != l && !v.asked.Swap(true) {
				other.tell(func(context.Context) { other.closeFile(v, time.Now()) })
			}
			break
		}
		v = l.closeFile(v, now)
	}
	if l.a.files.over() { // whatever other lanes wait for, there are never more
		l.a.files.count(s, s.f.Release(), false, now)
	}
}

// closeFile closes the descriptors of a stream of this lane, and answers whose are next.
// Of an idle one everything must be acknowledged: until then its file may be deleted
// with what only a descriptor leads to.
func (l *lane) closeFile(s *stream, now time.Time) *stream {
	s.asked.Store(false)
	if !l.streams[s] || s.awake == nil {
		return nil
	}
	if !l.a.files.over() && !s.settled(l.a.journal) {
		return l.a.files.count(s, s.f.Open(), true, now)
	}
	still := s.f.Release()
	return l.a.files.count(s, still, still > 0, now) // what cannot be closed has its turn last
}
