package commitlog

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Retain is the regular housekeeping, for the caller to run every minute or so:
// it rolls a segment that is old enough, deletes what age and size allow, forgets
// silent producers, closes files nobody used since the last call, and has a
// recovery point written when there is none for what was appended. Ages are of
// the wall clock: a segment's last append, not its records' times, so lines that
// arrive late are kept as long as any. now is the wall clock.
func (l *Log) Retain(now time.Time) error {
	l.keeping.Lock()
	defer l.endDeleting()
	err := l.rollExpired(now)
	if err != nil {
		err = fmt.Errorf("rolling %s by age: %w", l.name, err)
	}
	l.mu.Lock()
	reasons := l.expiredLocked(now)
	l.mu.Unlock()
	// On a full disk rolling fails, and deleting is what helps.
	err = errors.Join(err, l.deleteEach(reasons))
	l.mu.Lock()
	segments := l.mu.segments
	if l.mu.since > 0 {
		l.mu.due = true
	}
	mark := l.mu.due || l.mu.renamed
	l.mu.Unlock()
	for _, s := range segments {
		s.rest()
	}
	if mark && l.syncer != nil {
		l.syncer.mark(l)
	}
	return err
}

// rollExpired seals the active segment when it is too old to take more, or so old
// that retention wants it.
func (l *Log) rollExpired(now time.Time) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	cfg, err := l.config()
	if err != nil {
		return nil // a failed log keeps what it has, a closed one is not ours
	}
	l.appending.producers.expire(now.Add(-cfg.ProducerExpiry))
	l.notInTheFuture(now)
	s := l.appending.active
	if now.Sub(s.lastWrite) > idleAhead {
		l.letGoAhead(s)
	}
	old := cfg.RetentionAge > 0 && s.aged(now) > cfg.RetentionAge
	if s.size == 0 || (now.Sub(s.firstWrite) <= cfg.rollAge() && !old) {
		return nil
	}
	return l.roll()
}

// clockSlack is how far ahead of the clock a segment's last append may lie: clocks are
// corrected over the network.
const clockSlack = time.Hour

// neverBefore is when batches got the format that they are stored in: an earlier time
// is that of a clock that was not set.
var neverBefore = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)

// notInTheFuture has segments that were written by a clock that was ahead count as
// written now: else they, and all behind them, would be kept until that time has come.
// Their own times stay, for it may be this clock that is wrong, and set right later.
// What a clock that was not set wrote counts as written now too. The caller holds
// appending.
func (l *Log) notInTheFuture(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.mu.segments {
		switch {
		case s.lastWrite.Sub(now) <= clockSlack:
			s.counted = time.Time{}
		case s.counted.IsZero() || s.counted.Sub(now) > clockSlack:
			s.counted = now
		}
		if s.lastWrite.Before(neverBefore) && !now.Before(neverBefore) {
			s.lastWrite = now
		}
		if s.firstWrite.Sub(now) > clockSlack {
			s.firstWrite = now
		}
	}
}

// aged is how long ago a segment was written last.
func (s *segment) aged(now time.Time) time.Duration {
	if !s.counted.IsZero() {
		return now.Sub(s.counted)
	}
	return now.Sub(s.lastWrite)
}

// expiredLocked is, for each of the oldest segments that age and size give up, why:
// never the active one, never one that is not durable. The caller holds mu.
func (l *Log) expiredLocked(now time.Time) []Reason {
	cfg := &l.mu.cfg
	var size int64
	for _, s := range l.mu.segments {
		size += s.size
	}
	var reasons []Reason
	for n := range l.sealedLocked() {
		s := l.mu.segments[n]
		old := cfg.RetentionAge > 0 && s.aged(now) > cfg.RetentionAge
		big := cfg.RetentionBytes > 0 && size-s.size >= cfg.RetentionBytes
		passed := l.mu.segments[n+1].base <= l.mu.start // left over from a deletion that was cut short
		switch {
		case passed:
			reasons = append(reasons, ReasonTrim)
		case old:
			reasons = append(reasons, ReasonAge)
		case big:
			reasons = append(reasons, ReasonSize)
		default:
			return reasons
		}
		size -= s.size
	}
	return reasons
}

// sealedLocked is how many of the oldest segments are sealed and durable.
func (l *Log) sealedLocked() int {
	if l.mu.err != nil {
		return 0
	}
	n := 0
	for n+1 < len(l.mu.segments) && l.mu.segments[n+1].base <= l.mu.high {
		n++
	}
	return n
}

// deleteFirst is deleteEach of the n oldest segments for one reason.
func (l *Log) deleteFirst(n int, why Reason) error {
	return l.deleteEach(slices.Repeat([]Reason{why}, n))
}

// deleteEach unlinks the oldest segments, as many as there are reasons, or as many
// as a recovery point covers, and moves the log's start behind them. The caller
// holds keeping and ends with endDeleting.
func (l *Log) deleteEach(reasons []Reason) error {
	n := len(reasons)
	if n == 0 {
		return nil
	}
	l.mu.Lock()
	rose := l.mu.segments[n].base > l.mu.start
	for i, why := range reasons {
		from, next := l.mu.start, l.mu.segments[i+1].base
		l.mu.start = max(from, next)
		l.noteStart(from, next, why)
	}
	l.mu.Unlock()
	if rose {
		l.wake() // the last stable offset is not below the start
	}
	n, err := l.covered(n)
	if n == 0 {
		return err
	}
	// Without their successor's name a power cut could leave no segment at all.
	if err := l.syncNames(); err != nil {
		return err
	}
	errs := []error{err}
	l.mu.Lock()
	gone := l.mu.segments[:n]
	l.mu.segments = slices.Clone(l.mu.segments[n:])
	l.mu.sealed = slices.DeleteFunc(slices.Clone(l.mu.sealed), func(s *segment) bool { return slices.Contains(gone, s) })
	logger := l.mu.cfg.Logger
	l.mu.Unlock()
	l.lease(gone)
	for i, s := range gone {
		if err := s.unlink(); err != nil {
			errs = append(errs, fmt.Errorf("deleting segment %s: %w", s.path(logSuffix), err))
			continue
		}
		l.noteBytes(s.size, s.base, reasons[i])
		logger.Info("deleted segment", "log", l.name, "segment", s.name(), "bytes", s.size, "reason", string(reasons[i]))
	}
	return errors.Join(append(errs, l.syncNames())...)
}

// covered is how many of the n oldest segments may go: the producers' sequences
// must be kept elsewhere before the batches that tell them go, and the new start
// before that, because a power cut may undo some of the removals. On a full disk,
// where no new recovery point can be written, the last one says how many.
func (l *Log) covered(n int) (int, error) {
	l.mu.RLock()
	segments := l.mu.segments
	l.mu.RUnlock()
	var err error
	if base := segments[n].base; l.point.end < base || l.point.start < base {
		err = l.checkpoint()
	}
	for n > 0 && segments[n].base > l.point.end {
		n--
	}
	return n, err
}
