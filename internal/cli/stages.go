package cli

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// drainTime is how long everything together may take to finish what is in flight.
const drainTime = 10 * time.Second

// closeTime is how long a part may take that has come to closing its files: what it does not close is checked at the next start.
const closeTime = time.Minute

// closer is a part that may have many files to close after it has finished what was in flight.
type closer interface {
	Closing() bool // it does so now
}

// part is a front door: Run blocks until it has drained or failed, Ready is closed once it serves.
type part interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// stages runs the parts of one process. They start one after the other, each when the one before serves, and drain in
// the reverse order; the first that ends by itself ends them all. One goroutine uses it.
type stages struct {
	running []*stage
	ended   chan *stage                      // each stage sends itself once; room for all, so that no sender waits
	first   *stage                           // that ended by itself, whose error the caller has; nil: none
	say     func(format string, args ...any) // tells the operator why it takes long; nil: nobody
}

type stage struct {
	name   string
	stop   context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // what Run returned; valid after done
	serves <-chan struct{}
	closes closer // nil: it has nothing that takes long
}

func newStages() *stages { return &stages{ended: make(chan *stage, 16)} }

// start runs p and waits until it serves.
func (s *stages) start(ctx context.Context, name string, p part) error {
	return s.await(ctx, s.launch(ctx, name, p))
}

// await waits until a stage serves. It returns an error when any stage ends before that, and ctx's error when ctx ends;
// either way the caller goes on to drain.
func (s *stages) await(ctx context.Context, st *stage) error {
	select {
	case <-st.serves:
		return nil
	case e := <-s.ended:
		s.first = e
		return e.reason()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// launch runs p without waiting for it to serve.
func (s *stages) launch(ctx context.Context, name string, p part) *stage {
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	st := &stage{name: name, stop: stop, done: make(chan struct{}), serves: p.Ready()}
	st.closes, _ = p.(closer)
	s.running = append(s.running, st)
	go func() {
		st.err = p.Run(own)
		close(st.done)
		s.ended <- st
	}()
	return st
}

// wait blocks until ctx ends, which is no error, or a stage ends by itself, and its error is returned.
func (s *stages) wait(ctx context.Context) error {
	select {
	case e := <-s.ended:
		s.first = e
		return e.reason()
	case <-ctx.Done():
		return nil
	}
}

// drain stops the stages in reverse order, each after the one before has ended, and tells what went wrong on the way.
// After drainTime it returns without those that still run, but waits until closeTime for one that closes its files, and
// those behind it have their drainTime after that.
func (s *stages) drain() error {
	var errs []error
	began, late := time.Now(), time.NewTimer(drainTime)
	defer late.Stop()
	for i := len(s.running) - 1; i >= 0; i-- {
		st := s.running[i]
		st.stop()
		if !s.ends(st, began, late) {
			for _, left := range s.running[:i] {
				left.stop()
			}
			return errors.Join(append(errs, fmt.Errorf("%s did not drain within %s: ending without it; nothing acknowledged is lost", st.name, time.Since(began).Round(time.Second)))...)
		}
		if st.err != nil && st != s.first {
			errs = append(errs, st.reason())
		}
	}
	return errors.Join(errs...)
}

// ends waits for a stage that was stopped, and says whether it has ended in time.
func (s *stages) ends(st *stage, began time.Time, late *time.Timer) bool {
	for closing := false; ; {
		select {
		case <-st.done:
			if closing {
				late.Reset(drainTime)
			}
			return true
		case <-late.C:
			if st.closes == nil || !st.closes.Closing() || time.Since(began) >= closeTime {
				return false
			}
			if !closing && s.say != nil {
				s.say("%s is still closing its files and is waited for, %s in all at most; ended before that, it loses nothing, and its next start checks what was not closed", st.name, closeTime)
			}
			closing = true
			late.Reset(time.Second)
		}
	}
}

// finish drains and returns why it came to that: nil when ctx ended and all drained.
func (s *stages) finish(ctx context.Context, reason error) error {
	drained := s.drain()
	if ctx.Err() != nil && errors.Is(reason, ctx.Err()) {
		reason = nil
	}
	return errors.Join(reason, drained)
}

// reason is why a stage ended by itself; nil for a part that had an end to come to, as agent --once has.
func (st *stage) reason() error {
	if st.err != nil {
		return &stageError{st.name, st.err}
	}
	return nil
}

// stageError names the part that failed, where there are several.
type stageError struct {
	name string
	err  error
}

func (e *stageError) Error() string { return e.name + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }
