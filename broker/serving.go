package broker

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// phase is how far the broker has come.
type phase int32

const (
	// phaseNew: Run has not been called.
	phaseNew phase = iota
	// phaseRecovering: the logs are being opened, and checked where the last end was no clean one.
	phaseRecovering
	// phaseLoading: groups and transactions are read back.
	phaseLoading
	// phaseServing: it takes requests.
	phaseServing
	// phaseDraining: it answers what it has taken, and closes the logs.
	phaseDraining
	// phaseEnded: Run has returned.
	phaseEnded
)

// String says it to an operator.
func (p phase) String() string {
	return [...]string{"not started", "opening and recovering the logs", "reading groups and transactions back", "serving", "draining", "ended"}[p]
}

// stage is the phase of a running broker.
type stage struct{ now atomic.Int32 }

// enter moves on; a phase that is over does not come back.
func (s *stage) enter(p phase) {
	for now := s.now.Load(); now < int32(p) && !s.now.CompareAndSwap(now, int32(p)); now = s.now.Load() {
	}
}

func (s *stage) phase() phase { return phase(s.now.Load()) }

// Serving is nil while the broker serves all that it holds, else why not: it has not come so far yet, it goes down, or a
// partition has failed for good. A disk without room is no such reason: whoever reads, and commits, is served, and only
// reading on makes room.
func (b *Broker) Serving() error {
	if p := b.stage.phase(); p != phaseServing {
		return errors.New("the broker is " + p.String())
	}
	r := b.metrics.census.rooms.Load()
	if r == nil {
		return errors.New("the broker is " + phaseLoading.String())
	}
	var first error
	failed := 0
	for _, t := range r.topics.List() {
		for _, p := range t.Partitions() {
			if err := brokenLog(p.Log); err != nil {
				if failed++; first == nil {
					first = fmt.Errorf("%s-%d: %w", t.Name, p.Index, err)
				}
			}
		}
	}
	if failed > 1 {
		return fmt.Errorf("%d partitions have failed, the first is %w", failed, first)
	}
	return first
}

// brokenLog is why a log has failed for good, if it has.
func brokenLog(log *commitlog.Log) error {
	if err := log.Err(); errors.Is(err, commitlog.ErrFailed) {
		return err
	}
	return nil
}

// mostNotes is how many places of damage are among them, or fewer.
const mostNotes = 5

// Notes are what an operator should know although the broker serves.
func (b *Broker) Notes() []string {
	var notes []string
	if why, blocked := b.Blocked(); blocked {
		notes = append(notes, "writers wait: "+why)
	}
	if r := b.metrics.census.rooms.Load(); r != nil { // as it is now, not as it was found
		notes = append(notes, unreadable(r.topics)...)
		notes = notes[:min(len(notes), mostNotes)]
	} else if d := b.metrics.damage.Load(); d != nil {
		notes = append(notes, d.String())
	}
	return notes
}
