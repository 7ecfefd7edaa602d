package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/durable"
)

// Unsent is what an input has in one partition that was begun and is not acknowledged.
type Unsent struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Batches   int       `json:"batches"`
	Records   int64     `json:"records"`
	Bytes     int64     `json:"bytes"` // of source files
	Since     time.Time `json:"since"` // when the oldest was begun
}

// UnsentBy reads the journal in an agent's folder, whether one runs there or not: what
// the input named has begun and nobody has acknowledged.
func UnsentBy(data, input string) ([]Unsent, error) {
	pending, err := journal.Peek(filepath.Join(data, "journal"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no agent has its journal in %s: name its folder with --data", data)
	}
	if err != nil {
		return nil, err
	}
	var out []Unsent
	at := map[journal.Partition]int{}
	for _, p := range pending {
		if p.Input != input {
			continue
		}
		i, known := at[p.Entry.Partition]
		if !known {
			i = len(out)
			at[p.Entry.Partition] = i
			out = append(out, Unsent{Topic: p.Entry.Partition.Topic, Partition: p.Entry.Partition.Number, Since: p.Entry.Begun})
		}
		out[i].Batches++
		out[i].Records += int64(p.Entry.Count)
		out[i].Bytes += p.Entry.Bytes()
	}
	return out, nil
}

// Abandon asks the agent whose folder data is to give up what the input named has begun
// and nobody has acknowledged. It does so within a second, or when it starts next, and
// counts the lines as lost.
func Abandon(data, input string) error {
	dir := filepath.Join(data, abandonDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("asking the agent in %s: %w", data, err)
	}
	if err := durable.Replace(filepath.Join(dir, url.PathEscape(input)), nil, 0o600); err != nil {
		return fmt.Errorf("asking the agent in %s: %w", data, err)
	}
	return nil
}

// abandonDir holds one empty file for each input whose batches are to be given up.
const abandonDir = "abandon"

// heed does what was asked by Abandon, every second.
func (a *Agent) heed(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		a.abandonAsked()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *Agent) abandonAsked() {
	dir := filepath.Join(a.cfg.Data, abandonDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // nobody has ever asked
	}
	for _, e := range entries {
		input, err := url.PathUnescape(e.Name())
		if err != nil || filepath.Ext(e.Name()) == ".tmp" {
			continue
		}
		// First, and on the disk: heeded twice it would cost what is begun after it.
		if err = os.Remove(filepath.Join(dir, e.Name())); err == nil {
			err = durable.SyncFolder(dir)
		}
		if err != nil {
			a.log.Warn("a request to give up batches cannot be removed and is not heeded", "file", e.Name(), "err", err)
			continue
		}
		a.abandon(input)
	}
}

// abandon gives up what an input has begun: batches of partitions that are open by
// themselves, others in the journal alone.
func (a *Agent) abandon(input string) {
	match := func(e *journal.Entry) bool {
		in, ok := a.journal.Input(e.Input)
		return ok && in.Name == input
	}
	a.settling.Lock()
	defer a.settling.Unlock()
	batches, bytes := 0, int64(0)
	for at, doubt := range a.journal.InDoubt() {
		for _, e := range doubt {
			if !match(e) {
				continue
			}
			batches, bytes = batches+1, bytes+e.Bytes()
			if !a.client.Opened(at) {
				a.journal.Lost(e.Seq, e.Bytes())
				a.abandoned(e)
			}
		}
	}
	a.client.Abandon(match)
	a.log.Warn("giving up what an input has begun, as asked", "input", input, "batches", batches, "bytes", bytes)
}

// abandoned counts a batch that was given up; one that was acknowledged in the last
// moment is none.
func (a *Agent) abandoned(e *journal.Entry) { a.metrics.lost.Add(e.Bytes()) }
