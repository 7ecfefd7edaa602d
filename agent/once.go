package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/agent/produce"
)

// untilDone returns when every file is at its end and acknowledged. Its error names
// what could not be sent.
func (a *Agent) untilDone(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for calm := 0; calm < 3; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		done, err := a.done()
		if err != nil {
			return err
		}
		if calm++; !done {
			calm = 0
		}
	}
	return a.failures()
}

// done says whether nothing is left to do; an error says that this will never be.
func (a *Agent) done() (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.mu.applied && a.client.InFlight() == 0
	for _, in := range a.mu.inputs {
		done = done && (in.set != nil || in.broken != nil)
	}
	for _, t := range a.mu.topics {
		var stuck *produce.Stuck
		if err := t.trouble(); errors.As(err, &stuck) {
			return false, err
		}
		done = done && t.ready
		for _, l := range t.lanes {
			done = done && l.quiet()
		}
	}
	for id := range a.desired() {
		s := a.mu.streams[id]
		done = done && s != nil && (s.lane.Load() != nil || s.want.astray != nil)
	}
	return done, nil
}

// failures joins what kept files or inputs from being sent.
func (a *Agent) failures() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, f := range a.mu.faults {
		errs = append(errs, f.Err)
	}
	for _, in := range a.mu.inputs {
		if in.broken != nil {
			errs = append(errs, fmt.Errorf("input %s: %w", in.Name, in.broken))
		}
		if in.astray != nil {
			errs = append(errs, fmt.Errorf("input %s: %w", in.Name, in.astray))
		}
		if refused := refusals(in); refused != "" && len(in.set.Files) == 0 {
			errs = append(errs, fmt.Errorf("input %s: %s", in.Name, refused))
		}
	}
	for _, s := range a.mu.streams {
		s.shown.Lock()
		if s.shown.err != nil {
			errs = append(errs, s.shown.err)
		}
		if s.shown.damage != nil {
			errs = append(errs, s.shown.damage)
		}
		s.shown.Unlock()
	}
	return errors.Join(errs...)
}
