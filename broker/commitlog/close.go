package commitlog

import (
	"errors"
	"fmt"
)

// Close syncs everything and writes down that the log ends here, so that the next
// Open trusts it. Waiters get ErrClosed. A log that failed is only let go.
func (l *Log) Close() error { return l.shut(l.closeCleanly) }

// shut lets the log go, once; last comes first unless the log failed. Nothing else is under
// way while it runs.
func (l *Log) shut(last func() error) error {
	l.ending.Store(true)
	l.compacting.Lock()
	defer l.compacting.Unlock()
	l.keeping.Lock()
	defer l.keeping.Unlock()
	l.syncing.Lock() // no sync is under way when the files are let go
	defer l.syncing.Unlock()
	failed := l.Err()
	if errors.Is(failed, ErrClosed) {
		return nil
	}
	var err error
	if failed == nil {
		l.appending.Lock()
		l.letGoAhead(l.appending.active)
		l.appending.Unlock()
		err = last()
	}
	l.end()
	if err != nil {
		return fmt.Errorf("closing %s: %w", l.name, err)
	}
	return nil
}

// closeCleanly writes the last recovery point. No append comes in between,
// because appending is held to the end.
func (l *Log) closeCleanly() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.appending.active.noteTime()
	l.mu.RLock()
	c, segments, renamed := l.pointLocked(), l.mu.segments, l.mu.renamed
	l.mu.RUnlock()
	c.clean = true
	if c == l.point && !renamed {
		l.endAppends() // nothing has happened since it was opened
		return nil
	}
	p := l.upTo(c, segments)
	p.renamed = renamed
	if _, err := l.commit(p); err != nil {
		return err
	}
	if err := l.writeCheckpoint(c, l.appending.producers.encode(c.end), segments); err != nil {
		return err
	}
	l.endAppends()
	return nil
}

// end lets go of all files and wakes who waits; Spans keep theirs.
func (l *Log) end() {
	l.mu.Lock()
	l.mu.err = ErrClosed
	segments := l.mu.segments
	l.mu.Unlock()
	l.appending.Lock()
	l.leaveAhead()
	for _, s := range segments {
		s.retire()
	}
	l.appending.Unlock()
	if l.syncer != nil {
		l.syncer.points.forget(l)
	}
	l.wake()
}

// Abandon ends the log at once and syncs nothing: its folder is about to be
// removed, by the caller. Waiters get ErrClosed; held Spans stay readable.
func (l *Log) Abandon() {
	l.ending.Store(true)
	l.compacting.Lock()
	defer l.compacting.Unlock()
	l.keeping.Lock()
	defer l.keeping.Unlock()
	l.syncing.Lock() // no sync is under way when the files are let go
	defer l.syncing.Unlock()
	l.end()
}
