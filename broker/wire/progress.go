package wire

import (
	"net"
	"sync/atomic"
	"time"
)

// lookEach is how often is looked at what a peer has taken of an answer that is on its way.
const lookEach = stuckTime / 4

// progress is what a peer has taken beyond what the kernel has: a socket holds megabytes, and takes more only when a third
// of them is free, so that a write to a slow peer moves nothing for minutes although the peer reads all the time.
type progress struct {
	queued func() (int, error) // bytes that the kernel holds for the peer; nil: it does not say
	sent   atomic.Int64        // bytes that the kernel has taken
	armed  atomic.Bool         // the timer runs; who set it owns what is below
	seen   int64               // bytes that the peer had taken when it was last given time for them
	timer  *time.Timer
}

func newProgress(conn net.Conn) progress { return progress{queued: queuedOf(conn)} }

// watch has somebody look from time to time while something is on its way.
func (o *Out) watch() {
	p := &o.progress
	if p.queued == nil || p.armed.Load() || !p.armed.CompareAndSwap(false, true) {
		return
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(lookEach, o.look)
	} else {
		p.timer.Reset(lookEach)
	}
}

// look gives the peer more time if it has taken a stride, and rests when nothing is on its way.
func (o *Out) look() {
	p, since := &o.progress, o.since.Load()
	if since == 0 {
		p.armed.Store(false)
		if o.since.Load() != 0 { // an answer that has just begun saw the timer run still
			o.watch()
		}
		return
	}
	queued, err := p.queued()
	if err != nil { // it is closed
		return
	}
	if taken := p.sent.Load() - int64(queued); taken-p.seen >= outStride {
		p.seen = taken
		if now := time.Now(); o.since.CompareAndSwap(since, now.UnixNano()) {
			_ = o.conn.SetWriteDeadline(now.Add(stuckTime))
		}
	}
	p.timer.Reset(lookEach)
}
