package topics

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/loghaul/loghaul/broker/commitlog"
)

// manyPartitions is from how many logs on what they need synced is made durable together: by one sync of the disk in
// place of several for each.
const manyPartitions = 8

// together is a disk that several logs leave their syncs to.
type together struct {
	disk commitlog.WholeDisk // nil: each log syncs for itself
	need atomic.Bool         // one of them left something to it
}

// together is for so many logs.
func (t *Topics) together(logs int) *together {
	g := &together{}
	if logs >= manyPartitions && t.cfg.Syncer != nil {
		g.disk = t.cfg.Syncer.WholeFor(t.cfg.Dir, logs)
	}
	return g
}

// sync makes durable what was left to it.
func (g *together) sync() error {
	if g.disk == nil || !g.need.Load() {
		return nil
	}
	if err := g.disk.Sync(); err != nil {
		return fmt.Errorf("syncing the disk under many logs: %w", err)
	}
	return nil
}

// closeLogs closes all logs, several at a time.
func (t *Topics) closeLogs() error {
	var logs []*Partition
	for _, topic := range t.List() {
		logs = append(logs, topic.Partitions()...)
	}
	var errs struct {
		sync.Mutex
		all []error
	}
	each := func(do func(i int) error) {
		var closing errgroup.Group // a clean end of a thousand logs writes thousands of files, and disks take several at once
		closing.SetLimit(openAtATime())
		for i, p := range logs {
			closing.Go(func() error {
				if err := do(i); err != nil {
					errs.Lock()
					defer errs.Unlock()
					errs.all = append(errs.all, fmt.Errorf("closing %s: %w", folder(p.Topic.Name, p.Index), err))
				}
				return nil
			})
		}
		_ = closing.Wait() // all are closed, whatever one says
	}
	g := t.together(len(logs))
	if g.disk == nil {
		each(func(i int) error { return logs[i].Log.Close() })
		return errors.Join(errs.all...)
	}
	finish := make([]func() error, len(logs))
	each(func(i int) (err error) {
		if finish[i], err = logs[i].Log.CloseLater(); finish[i] != nil {
			g.need.Store(true)
		}
		return err
	})
	// What the last recovery points vouch for is on the disk before they get their names. Without that they get none, and
	// the next start checks the logs.
	if err := g.sync(); err != nil {
		return errors.Join(append(errs.all, err)...)
	}
	each(func(i int) error {
		if finish[i] == nil {
			return nil
		}
		return finish[i]()
	})
	return errors.Join(append(errs.all, g.sync())...)
}
