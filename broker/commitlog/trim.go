package commitlog

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/loghaul/loghaul/internal/record"
)

// DeleteBefore makes offset the log's start, durably, and deletes the segments
// that lie wholly before it. An offset inside a batch is fine; one before Start
// changes nothing; one behind the high watermark is ErrOffsetOutOfRange.
func (l *Log) DeleteBefore(offset record.Offset) error {
	l.keeping.Lock()
	defer l.endDeleting()
	if err := l.deleteBefore(offset); err != nil {
		return fmt.Errorf("deleting %s before offset %d: %w", l.name, offset, err)
	}
	return nil
}

func (l *Log) deleteBefore(offset record.Offset) error {
	start, rolled, err := l.moveStart(offset)
	if err != nil || offset < start {
		return err
	}
	if offset > start {
		l.wake() // the last stable offset is not below the start
		l.noteStart(start, offset, ReasonTrim)
		// The new start is durable before it is answered. Where the disk is too full to
		// write it, the segments go first, which moves the start as far as they reach.
		err = l.checkpoint()
	}
	l.mu.Lock()
	n, durable := 0, l.sealedLocked()
	for n < durable && l.mu.segments[n+1].base <= offset {
		n++
	}
	l.mu.Unlock()
	if derr := l.deleteFirst(n, ReasonTrim); derr != nil && (err == nil || !errors.Is(derr, syscall.ENOSPC)) {
		return derr
	}
	if err != nil {
		for _, f := range l.leases { // the bytes of what went are wanted now
			f.release()
		}
		l.leases = nil
		err = l.checkpoint()
	}
	if err == nil {
		l.giveUp(offset)
	}
	return errors.Join(err, rolled)
}

// giveUp forgets what is lost before an offset: nobody waits for a copy of it any more. The
// caller holds keeping.
func (l *Log) giveUp(offset record.Offset) {
	first := l.firstBase()
	if !l.damages.change(func(list []Damage) []Damage {
		return slices.DeleteFunc(list, func(d Damage) bool { return d.To <= offset && !d.stays(first) })
	}) {
		return
	}
	if err := l.writeDamages(); err != nil { // it is said again at the next start then
		l.logger().Warn("writing down what is damaged", "log", l.name, "error", err)
	}
}

// moveStart has readers begin at an offset, and seals the active segment where that
// helps to free it; rolled is what went wrong with that, which on a full disk is no
// reason to keep the segments before. start is where the log began.
func (l *Log) moveStart(offset record.Offset) (start record.Offset, rolled, err error) {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.Lock()
	start, high, err := l.mu.start, l.mu.high, l.mu.err
	switch {
	case err == nil && offset > high:
		err = fmt.Errorf("the log holds %d to %d: %w", start, high, ErrOffsetOutOfRange)
	case err == nil && offset > start:
		l.mu.start = offset
	}
	l.mu.Unlock()
	switch {
	case err != nil || l.appending.active.size == 0:
	case offset == l.appending.end: // all is to go, the active segment's bytes too
		rolled = l.roll()
	case offset > start && l.mostlyBefore(offset):
		_ = l.roll() // it may be tried again
	}
	return start, rolled, err
}

// mostlyBefore says whether at least half of the active segment lies before an offset.
// Such a segment is sealed: nothing of it is freed now, but all of it with its last
// record, by the next trim or by retention, and not only when it has grown to its full
// size. The caller holds appending.
func (l *Log) mostlyBefore(offset record.Offset) bool {
	s := l.appending.active
	e, ok, err := s.byOffset(offset - s.base)
	return err == nil && ok && 2*e.position >= s.size
}
