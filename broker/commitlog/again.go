package commitlog

import (
	"errors"
	"syscall"
	"time"
)

const (
	// againAfter is when a sync is tried again that could not open what it was to sync.
	againAfter = 100 * time.Millisecond
	// warnEvery is how often that is told of one log.
	warnEvery = time.Minute
)

// passing says whether a file could not be opened for want of something that comes back:
// descriptors, memory. Nothing was tried with the file then, and nothing is lost.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.EINTR, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// giveBack puts back what could not be synced because a file could not be opened, and has
// the Syncer come again; who waits for it goes on waiting. What was synced of it
// already is synced once more then, which does no harm: only a sync that failed is never
// tried again. The caller holds syncing.
func (l *Log) giveBack(p pending, cause *StorageError) error {
	if l.syncer == nil { // whoever appends is told at once
		cause.Fatal = true
		return l.fail(cause)
	}
	l.mu.Lock()
	l.mu.sealed = append(p.sealed, l.mu.sealed...)
	l.mu.renamed = l.mu.renamed || p.renamed
	l.mu.Unlock()
	if now := time.Now(); now.Sub(l.warned) > warnEvery {
		l.warned = now
		l.logger().Warn("a sync waits until it can open its file, and acknowledgements wait with it; if these are too many open files, raise the limit (LimitNOFILE= of the service, ulimit -n)",
			"log", l.name, "error", cause)
	}
	time.AfterFunc(againAfter, func() { l.syncer.mark(l) })
	return cause
}

// commitNow is commit where something of it may have failed already: a file that cannot be
// opened then can never be told to be on the disk.
func (l *Log) commitNow(p pending) (released int, err error) {
	released, cause := l.trySync(p)
	if cause != nil {
		cause.Fatal = true
		return 0, l.fail(cause)
	}
	return released, nil
}
