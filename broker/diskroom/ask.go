package diskroom

import (
	"context"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// Check says whether something new that will take room may be begun for a topic now, as its making, or a transaction that
// writes to it: nil, or a *RefusedError. Nothing is booked.
func (r *Room) Check(topic string) error {
	if f := r.full.Load(); f != nil && !r.tryLeaveFull() && !(r.takesLetters(topic) && r.lettersFit(0)) {
		return f.refusal
	}
	if w := r.wall.Load(); w != nil && !r.takesLetters(topic) {
		r.kick() // somebody may have committed by now
		return w.refusal
	}
	return nil
}

// fresh waits, while clients are refused, until the reason is one of this moment: a group that has just committed is not
// to be named. ctx bounds it.
func (r *Room) fresh(ctx context.Context) {
	if _, blocked := r.Blocked(); !blocked {
		return
	}
	asked := r.began.Load()
	for {
		r.mu.Lock()
		verdict := r.mu.verdict
		r.mu.Unlock()
		if r.ended.Load() > asked { // it began after the asking
			return
		}
		r.kick()
		select {
		case <-verdict:
		case <-r.stopped:
			return
		case <-ctx.Done():
			return
		}
	}
}

// booked is what counts against the budget: what all logs take with their indexes and small files, and what is on its
// way to them.
func (r *Room) booked() int64 {
	if !r.measured.Load() {
		return 0
	}
	return r.base.Load() + r.charged.Load()
}

// countedFor is for how long a count of all logs is good.
const countedFor = 200 * time.Millisecond

// counted is what all logs took when somebody asked.
type counted struct {
	at    time.Time
	bytes int64
}

// Used is what all logs take with their indexes and small files now, in bytes, with a budget or without.
func (r *Room) Used() int64 {
	r.mu.Lock()
	last := r.mu.counted
	r.mu.Unlock()
	if !last.at.IsZero() && time.Since(last.at) < countedFor {
		return last.bytes
	}
	now := counted{bytes: r.aside.Load()}
	var pieces []commitlog.Piece
	for _, p := range r.cfg.Partitions() {
		pieces = p.Log.Pieces(pieces[:0])
		for _, piece := range pieces {
			now.bytes += piece.Bytes
		}
	}
	now.at = time.Now()
	r.mu.Lock()
	r.mu.counted = now
	r.mu.Unlock()
	return now.bytes
}
