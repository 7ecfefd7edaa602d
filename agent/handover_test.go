package agent

import (
	"context"
	"testing"
	"time"
)

// theStream is the only stream there is, once a lane has it.
func (r *running) theStream() (s *stream, l *lane) {
	r.h.t.Helper()
	r.h.until(func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, s = range r.mu.streams {
			l = s.lane.Load()
		}
		return s != nil && l != nil && len(r.mu.streams) == 1
	}, func() string { return "no lane has the only stream" })
	return s, l
}

// Whoever tells a lane what to do with a stream may be heard when another lane has it already.
func TestALaneLeavesAStreamAloneThatItHasHandedOver(t *testing.T) {
	h := newHouse(t, map[string]int32{"web_log": 2})
	h.lines("a.log", 0, 10)
	h.input("web", "web_log", "*.log", `"partition":0`)
	r := h.start()
	h.want("web_log", numbered("a.log", 0, 10))
	s, before := r.theStream()
	h.input("web", "web_log", "*.log", `"partition":1`)
	h.until(func() bool { l := s.lane.Load(); return l != nil && l != before && r.followed.Load() == 1 }, func() string { return "the stream does not move" })
	r.mu.Lock()
	in, now := s.want, s.lane.Load()
	s.want = nil // so that adopt has something to do
	stale := *in
	s.want = &stale
	r.adopt(before, s, in)
	r.mu.Unlock()
	before.tell(func(context.Context) { before.leave(s) })
	done := make(chan struct{})
	before.tell(func(context.Context) { before.sweep = time.Time{} })
	before.tell(func(ctx context.Context) { before.handBack(ctx); close(done) })
	<-done
	h.lines("a.log", 10, 10)
	h.want("web_log", numbered("a.log", 0, 20))
	if n := r.followed.Load(); n != 1 || s.lane.Load() != now {
		t.Errorf("%d streams are followed, want 1; it is with the lane that it was given to: %t", n, s.lane.Load() == now)
	}
}
