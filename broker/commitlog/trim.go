package commitlog

import (
	"fmt"

	"github.com/loghaul/loghaul/internal/record"
)

// DeleteBefore makes offset the log's start, durably, and deletes the segments
// that lie wholly before it. An offset inside a batch is fine; one before Start
// changes nothing; one behind the high watermark is ErrOffsetOutOfRange.
func (l *Log) DeleteBefore(offset record.Offset) error {
	l.syncing.Lock()
	defer l.endDeleting()
	if err := l.deleteBefore(offset); err != nil {
		return fmt.Errorf("deleting %s before offset %d: %w", l.name, offset, err)
	}
	return nil
}

func (l *Log) deleteBefore(offset record.Offset) error {
	l.appending.Lock()
	l.mu.Lock()
	start, high, err := l.mu.start, l.mu.high, l.mu.err
	switch {
	case err == nil && offset > high:
		err = fmt.Errorf("the log holds %d to %d: %w", start, high, ErrOffsetOutOfRange)
	case err == nil && offset > start:
		l.mu.start = offset
	}
	l.mu.Unlock()
	if err == nil && offset == l.appending.end && l.appending.active.size > 0 {
		err = l.roll() // all is to go, the active segment's bytes too
	}
	l.appending.Unlock()
	if err != nil || offset <= start {
		return err
	}
	l.wake() // the last stable offset is not below the start
	l.noteStart(start, offset, ReasonTrim)
	// The new start is durable before it is answered. Where the disk is too full to
	// write it, the segments go first, which moves the start as far as they reach.
	err = l.checkpoint()
	l.mu.Lock()
	n, durable := 0, l.sealedLocked()
	for n < durable && l.mu.segments[n+1].base <= offset {
		n++
	}
	l.mu.Unlock()
	if derr := l.deleteFirst(n, ReasonTrim); err == nil || derr != nil {
		return derr
	}
	return l.checkpoint()
}
