package commitlog

import (
	"errors"
	"slices"
	"time"
)

const (
	// wholeFrom is how many logs make one sync of the whole disk cheaper than a sync
	// each: measured on ext4, one for 16 logs takes as long as three or four.
	wholeFrom = 3
	// company is how much of the last sync's time the next one waits at most for those
	// whom it released: they come back at once or not at all.
	company = 4
	// longestHold bounds that wait, and the wait for a sync that runs already.
	longestHold = time.Millisecond
	// hundreds is how many logs are worth a sync of the whole disk whatever else lies on it.
	hundreds = 200
	// longestWhole is how long after its begin a sync of the whole disk is waited for;
	// then what was appended meanwhile goes by itself.
	longestWhole = 5 * time.Millisecond
	// slowWhole is when a sync of the whole disk wrote for others: it is left alone for
	// a while, twice as long each time, from shortestRest to longestRest.
	slowWhole    = 20 * time.Millisecond
	shortestRest = time.Second
	longestRest  = time.Minute
	// napTime is how often a worker that holds a window open looks at it.
	napTime = 50 * time.Microsecond
)

// window says when the next syncs begin; guarded by Syncer.mu.
type window struct {
	taking bool      // a worker is about to take from the queue
	want   int       // after a sync of the whole disk: so many appends are all that can be expected
	until  time.Time // and they are waited for until then; zero: not at all
	whole  bool      // a sync of the whole disk runs
	began  time.Time // since then
	broken bool      // one failed: never again
	rest   time.Time // not before then
	pause  time.Duration
}

// gather holds the window open while that makes it fuller, and says how many logs of
// the queue to take: one, or all by one sync. The caller holds mu, which is let go
// meanwhile.
//
// A closed loop of clients that all wait for the disk would otherwise fall into two
// halves that each wait for the other's sync. So who was just released is waited
// for, a fraction of a sync; and where two syncs run already, a third one waits for
// them, as more logs may come for one sync of the whole disk.
func (s *Syncer) gather() int {
	began := time.Now()
	may := s.mayWhole(began)
	for held := time.Duration(0); !s.mu.done && s.hold(may, began.Add(held), held); {
		s.mu.Unlock()
		s.nap(napTime)
		s.mu.Lock()
		held = max(held+napTime, time.Since(began)) // a clock that stands still holds nobody
		may = s.mayWhole(began.Add(held))
	}
	queue := s.mu.queue
	if may && len(queue) >= wholeFrom && !s.mu.window.whole && !slices.ContainsFunc(queue, func(l *Log) bool { return !l.whole }) {
		s.mu.window.whole, s.mu.window.began = true, time.Now()
		return len(queue)
	}
	if i := s.ready(time.Now()); i > 0 {
		queue[0], queue[i] = queue[i], queue[0]
	}
	return 1
}

// ready is the first log of the queue that waits for nobody, -1: none; the caller
// holds mu.
func (s *Syncer) ready(now time.Time) int {
	return slices.IndexFunc(s.mu.queue, func(l *Log) bool { return l.marks >= l.want || !now.Before(l.until) })
}

// Whole is what makes everything in a folder durable by one call; nil: there is nothing
// that does, or it would write mostly for others now.
func (s *Syncer) Whole(dir string) WholeDisk {
	if !s.holds(dir) {
		return nil
	}
	if d := (sharedDisk{s.whole, s}); !d.Crowded() {
		return d
	}
	return nil
}

// WholeFor is Whole for the start or the end of so many logs: hundreds are worth writing for
// others too.
func (s *Syncer) WholeFor(dir string, logs int) WholeDisk {
	if d := s.Whole(dir); d != nil || logs < hundreds || !s.holds(dir) || s.broken() {
		return d
	}
	return sharedDisk{s.whole, s}
}

// sharedDisk is the Syncer's disk for others: the kernel tells of a failed write once, so
// whoever is told, all must know.
type sharedDisk struct {
	WholeDisk
	s *Syncer
}

// Sync is one sync for all files.
func (d sharedDisk) Sync() error { return d.s.syncDisk() }

// Crowded is true for good once a sync has failed.
func (d sharedDisk) Crowded() bool {
	return d.s.broken() || d.WholeDisk.Crowded()
}

// broken says that a sync of the whole disk has failed.
func (s *Syncer) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.window.broken
}

// errBroken says that a sync of the whole disk has failed, now or earlier.
var errBroken = errors.New("a sync of the whole disk has failed before")

// syncDisk is one sync of the whole disk at a time: of two, one would be told of what
// failed, and the other that all is well.
func (s *Syncer) syncDisk() error {
	s.wholeSync.Lock()
	defer s.wholeSync.Unlock()
	if s.broken() {
		return errBroken
	}
	err := s.whole.Sync()
	if err != nil {
		s.mu.Lock()
		s.mu.window.broken = true
		s.mu.Unlock()
	}
	return err
}

// holds says whether a log in that folder may be synced with the whole disk.
func (s *Syncer) holds(dir string) bool { return s != nil && s.whole != nil && s.whole.Holds(dir) }

// mayWhole says whether a sync of the whole disk is worth while; the caller holds mu,
// which is let go while the disk is asked.
func (s *Syncer) mayWhole(now time.Time) bool {
	w := &s.mu.window
	if s.whole == nil || w.broken || now.Before(w.rest) || len(s.mu.queue)+s.mu.running < wholeFrom {
		return false
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	return !s.whole.Crowded()
}

// hold says whether a fuller window is worth waiting for; the caller holds mu.
func (s *Syncer) hold(may bool, now time.Time, held time.Duration) bool {
	w := &s.mu.window
	switch {
	case w.whole && now.Sub(w.began) < longestWhole:
		return true
	case s.mu.waiting < w.want && now.Before(w.until):
		return true
	case may && s.mu.running >= wholeFrom-1 && held < longestHold:
		return true
	}
	return s.ready(now) < 0
}

// releasing counts who came before those whom a sync is about to release: of them some are
// back before it has ended, and are not to be waited for again.
func (s *Syncer) releasing(l *Log) {
	if s == nil {
		return
	}
	s.mu.Lock()
	l.others = l.marks
	s.mu.Unlock()
}

// endWindow notes how a round went; the caller holds mu.
func (s *Syncer) endWindow(r round, released int, took time.Duration) {
	until := time.Time{}
	if released > 0 {
		until = time.Now().Add(min(took/company, longestHold))
	}
	if !r.whole {
		l := r.logs[0]
		l.want, l.until = l.others+r.appends, until
		return
	}
	w := &s.mu.window
	w.whole, w.want, w.until = false, s.mu.waiting+r.appends, until
	if took < slowWhole {
		w.pause = 0
		return
	}
	w.pause = min(max(2*w.pause, shortestRest), longestRest)
	w.rest = time.Now().Add(w.pause)
}

// syncWhole makes several logs durable by one sync of the disk they lie on: those of
// them that nobody syncs already. released is how many waited for it.
func (s *Syncer) syncWhole(logs []*Log) (done, held []*Log, released int) {
	type begun struct {
		log *Log
		pending
	}
	var together []begun
	for _, l := range logs {
		if !l.syncing.TryLock() {
			held = append(held, l)
			continue
		}
		done = append(done, l)
		if p, ok := l.takePending(); ok {
			together = append(together, begun{l, p})
		} else {
			l.syncing.Unlock()
		}
	}
	if len(together) == 0 {
		return done, held, 0
	}
	failed := s.syncDisk() != nil
	for _, b := range together {
		commit := b.log.raised
		if failed {
			// Which file it is about is not said; each file's own sync says it, and
			// those that are not among these must be asked themselves too.
			commit = b.log.commitNow
		}
		released += b.log.finishSync(b.pending, commit)
	}
	return done, held, released
}
