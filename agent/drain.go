package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/internal/datadir"
	"github.com/loghaul/loghaul/internal/durable"
)

// Whoever asks an agent to drain writes the first file and reads the second; the agent
// does so the other way round.
const (
	drainFile   = "drain"
	drainedFile = "drained"
)

// ErrNoAgent says that no agent runs in a folder.
var ErrNoAgent = errors.New("no agent runs there")

// Drained is how a drain went.
type Drained struct {
	Error   string `json:"error,omitempty"` // why not all can be acknowledged; the agent goes on
	Waiting int64  `json:"waiting_bytes"`   // of lines that have no end yet, and of paused inputs
}

// Drain asks the agent whose folder data is to send all that its files hold, and to end.
// It returns when the agent has ended, or when it says that this cannot be. When ctx
// ends before that the request is taken back, and the agent goes on.
func Drain(ctx context.Context, data string) (Drained, error) {
	var d Drained
	if !datadir.InUse(data) {
		return d, fmt.Errorf("draining %s: %w", data, ErrNoAgent)
	}
	request, answer := filepath.Join(data, drainFile), filepath.Join(data, drainedFile)
	os.Remove(answer) // of somebody who did not wait for it
	if err := durable.Replace(request, nil, 0o600); err != nil {
		return d, fmt.Errorf("asking the agent in %s: %w", data, err)
	}
	defer os.Remove(answer)
	defer os.Remove(request)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-tick.C:
		}
		text, err := os.ReadFile(answer)
		if err == nil {
			if err := json.Unmarshal(text, &d); err != nil {
				return d, fmt.Errorf("reading what the agent in %s answers: %w", data, err)
			}
			if d.Error != "" || !datadir.InUse(data) {
				return d, nil
			}
		} else if n%20 == 0 && !datadir.InUse(data) {
			if _, err := os.Stat(answer); err != nil {
				return d, fmt.Errorf("draining %s: the agent ended before it was done: %w", data, ErrNoAgent)
			}
		}
	}
}

// drainAsked waits until somebody asks for a drain, and does it; end ends the run.
func (a *Agent) drainAsked(ctx context.Context, end func()) error {
	request, answer := filepath.Join(a.cfg.Data, drainFile), filepath.Join(a.cfg.Data, drainedFile)
	os.Remove(request) // was meant for an earlier life
	os.Remove(answer)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := os.Stat(request); err != nil {
			continue
		}
		a.log.Info("draining, as asked: everything that is there is sent, then this agent ends")
		d, ok := a.drain(ctx, func() bool { _, err := os.Stat(request); return err == nil })
		if !ok {
			continue
		}
		text, _ := json.Marshal(d) // of plain fields
		if err := durable.Replace(answer, text, 0o600); err != nil {
			a.log.Warn("the answer to a drain cannot be written", "err", err)
		}
		if d.Error == "" {
			a.log.Info("drained: everything is acknowledged", "waiting_bytes", d.Waiting)
			end()
			return nil
		}
		a.log.Warn("not everything can be drained; going on", "err", d.Error)
		os.Remove(request)
	}
}

// drain returns when every file was at its end and acknowledged once since now. false:
// nobody asks for it any more.
func (a *Agent) drain(ctx context.Context, asked func() bool) (d Drained, ok bool) {
	seen := map[*lane]bool{}
	a.lookEverywhere(ctx)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return d, false
		case <-tick.C:
		}
		if n%20 == 0 && !asked() {
			a.log.Info("nobody asks to drain any more; going on")
			return d, false
		}
		done, err := a.drained(seen)
		if err != nil {
			d.Error = err.Error()
		}
		if done || err != nil {
			a.mu.Lock()
			d.Waiting = a.survey().all.lag
			a.mu.Unlock()
			return d, true
		}
	}
}

// lookEverywhere lets every lane look at all its files once more.
func (a *Agent) lookEverywhere(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.mu.topics {
		for _, l := range t.lanes {
			l.tell(func(context.Context) {
				for s := range l.streams {
					l.lookAt(s, time.Now())
				}
			})
		}
	}
}

// drained says whether each lane has been seen with nothing left to do; an error says
// that this will never be.
func (a *Agent) drained(seen map[*lane]bool) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.mu.applied
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
			seen[l] = seen[l] || l.quiet()
			done = done && seen[l]
		}
	}
	for id := range a.desired() {
		s := a.mu.streams[id]
		done = done && s != nil && (s.lane.Load() != nil || s.want.astray != nil)
	}
	return done, nil
}
