package agent

import (
	"context"
	"time"
)

// watchEvery is how often a lane that has to wait looks after its files.
const watchEvery = 100 * time.Millisecond

// patiently does what may have to wait for long, for a broker or for memory, and looks
// after the lane's files meanwhile: what is renamed or deleted while nothing can be
// sent is not to be had later. f is called once, so that it keeps its place in a queue,
// by a goroutine that has ended when this returns.
func (l *lane) patiently(ctx context.Context, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t := time.NewTicker(l.patience())
	defer t.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-t.C:
			l.watch(time.Now())
		}
	}
}

// await waits for something, or for an answer, a word of an event or the time to look
// after the files; then it does that. Mail is not read: the lane is in the middle of
// something.
func (l *lane) await(ctx context.Context, something <-chan struct{}) error {
	t := time.NewTimer(l.patience())
	defer t.Stop()
	select {
	case <-something:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.wake:
	case <-t.C:
	}
	l.watch(time.Now())
	return nil
}

// patience is how long a lane waits between two looks: longer when there is much to
// look at.
func (l *lane) patience() time.Duration {
	return max(watchEvery, time.Duration(len(l.streams))*10*time.Microsecond)
}

// watch stats the streams that events spoke of, and those whose time has come. Nothing
// is read and no stream changes hands: the lane is in the middle of something.
func (l *lane) watch(now time.Time) {
	if now.Before(l.lookAround) && !l.alarmed.Swap(false) {
		return
	}
	_, idle, deaf := l.a.paces()
	lagging := min(max(lookBusy, time.Duration(len(l.streams))*paceBusy), lookLast)
	l.lookAround = now.Add(l.patience())
	for s := range l.streams {
		due := idle
		if s.deaf {
			due = deaf
		}
		switch {
		case s.alarmed.Load():
			due = 0
		case s.told.Load():
			due = watchEvery
		case s.awake != nil && s.f.Lag() > 0:
			due = lagging
		}
		var at time.Time
		if s.awake != nil {
			at = s.f.Due()
		}
		if now.Sub(s.looked) >= due || !at.IsZero() && !now.Before(at) {
			l.lookAt(s, now)
		}
	}
}

// until waits until at.
func until(at time.Time) func(context.Context) error {
	return func(ctx context.Context) error {
		pause(ctx, time.Until(at))
		return ctx.Err()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
