package handle

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/loghaul/loghaul/broker/quota"
)

// mute says until when a connection is left alone because its client moved more than it may. The client is told and
// answered at once; its next request waits (KIP-219).
type mute struct{ until atomic.Int64 } // nanoseconds since 1970

// extend mutes a connection for so long from now on.
func (m *mute) extend(now time.Time, d time.Duration) {
	until := now.Add(d).UnixNano()
	for {
		old := m.until.Load()
		if until <= old || m.until.CompareAndSwap(old, until) {
			return
		}
	}
}

// charge notes that a client moved n bytes. When that is more than it may, its connection is muted, and the answer is
// for how many milliseconds.
func (h *Handlers) charge(p Peer, clientID string, key quota.Key, n int) int32 {
	if h.cfg.Quotas == nil {
		return 0
	}
	now := time.Now()
	d := h.cfg.Quotas.Charge(p.Principal, clientID, key, n, now)
	if d < time.Millisecond {
		return 0
	}
	h.cfg.Meter.Throttled(key, d)
	if p.mute != nil {
		p.mute.extend(now, d)
	}
	return int32(d.Milliseconds())
}

// Connected notes a new connection. More than connection_creation_rate allows its address are left alone for a while.
func (h *Handlers) Connected(s *Session) {
	if h.cfg.Quotas == nil {
		return
	}
	now := time.Now()
	if d := h.cfg.Quotas.Connect(s.peer.IP, now); d > 0 {
		h.cfg.Meter.Throttled(quota.Connections, d)
		s.peer.mute.extend(now, d)
	}
}

// Muted waits while a connection is muted, but not past the end of the broker or of ctx. A connection that would be left
// alone for longer than a silent one is closed like that: nobody reads it, so that its client is gone shows nowhere. What
// the client owes is not forgotten.
func (h *Handlers) Muted(ctx context.Context, s *Session) error {
	left := time.Until(time.Unix(0, s.peer.mute.until.Load()))
	if left <= 0 {
		return nil
	}
	idle := h.cfg.Topics.Settings().Millis("connections.max.idle.ms")
	over := time.NewTimer(min(left, idle))
	defer over.Stop()
	select {
	case <-over.C:
		if left > idle {
			return os.ErrDeadlineExceeded
		}
	case <-h.draining:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
