package commitlog

import "time"

const (
	// easeFactor is how many times as long as its last sync a log rests to which more
	// was appended meanwhile, while nobody waits for its high watermark: syncing without
	// a pause costs a stream of acks=1 a fifth of the time in its writes.
	easeFactor = 4
	// longestEase bounds that.
	longestEase = 5 * time.Millisecond
	// followed is for how long a log whose end somebody has waited at has no rest: a
	// reader that follows it is away for a moment only, to take what it was given.
	followed = 20 * time.Millisecond
)

// ease lets a log rest before its next sync, if nobody waits for that; whoever comes
// to wait ends the rest. The caller holds mu.
func (s *Syncer) ease(l *Log, took time.Duration) bool {
	if s.mu.done {
		return false
	}
	l.eased.Store(true) // before one looks who waits: who comes later looks at it
	if l.awaited() {
		l.eased.Store(false)
		return false
	}
	l.turn = easing
	s.mu.easing[l] = time.AfterFunc(min(easeFactor*took, longestEase), func() { s.endEase(l) })
	return true
}

// endEase puts a log that rests into the queue.
func (s *Syncer) endEase(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.turn == easing {
		s.queueLocked(l)
	}
}

// hurry says that somebody waits for the log's high watermark.
func (l *Log) hurry() {
	if l.eased.Load() {
		l.syncer.endEase(l)
	}
}

// awaited says whether somebody waits for the high watermark to rise, or is about to.
func (l *Log) awaited() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.waves.next.waiting > 0 || len(l.mu.watchers) > 0 || time.Since(l.mu.watched) < followed
}
