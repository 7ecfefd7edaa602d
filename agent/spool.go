package agent

import (
	"context"
	"math"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/spool"
	"github.com/loghaul/loghaul/internal/line"
)

// strayAge is how long something stays in the spool that the journal knows nothing of.
const strayAge = 7 * 24 * time.Hour

// spooler is the spool as the streams of one topic use it. What is kept is journaled
// first: only by the journal is it found again.
type spooler struct {
	a     *Agent
	topic string
}

func journalID(id follow.ID) journal.ID {
	return journal.ID{FS: id.FS, Inode: id.Inode, Birth: id.Birth, Cut: id.Cut}
}

// Needed is up to where the generation is acknowledged.
func (s spooler) Needed(id follow.ID) line.Position {
	g, _ := s.a.journal.Known(s.topic, journalID(id))
	return g.Position
}

// Keep journals the generation, if no line of it was read yet, and keeps its bytes.
func (s spooler) Keep(cp follow.Checkpoint, g follow.Kept, data []byte) (int, error) {
	if err := s.found([]follow.Checkpoint{cp}); err != nil {
		return 0, err
	}
	if _, ok := s.Find(cp.ID); !ok {
		// A power cut must not leave the bytes and take what leads to them.
		if err := s.a.journal.Sync(); err != nil {
			return 0, err
		}
	}
	return s.a.spool.Keep(spool.Key{Topic: s.topic, ID: cp.ID}, cp, g, data)
}

// found journals generations of which no line was read yet: those that were rotated away
// unseen are not news any more once a younger one is in the journal.
func (s spooler) found(cps []follow.Checkpoint) error {
	for _, cp := range cps {
		if _, ok := s.a.journal.Known(s.topic, journalID(cp.ID)); ok {
			continue
		}
		if _, err := s.a.journal.Register(journal.Generation{
			Topic: s.topic, ID: journalID(cp.ID), Name: cp.ID.Generation(), Path: cp.Path, Began: cp.Began,
			Head: cp.Head, HeadLength: cp.HeadLength, Partition: spread, Position: cp.Position,
		}); err != nil {
			return err
		}
	}
	return nil
}

// Find answers what is kept of a generation.
func (s spooler) Find(id follow.ID) (follow.Kept, bool) {
	return s.a.spool.Find(spool.Key{Topic: s.topic, ID: id})
}

// openSpool opens what earlier lives kept and lets go of what is acknowledged of it.
func (a *Agent) openSpool() (err error) {
	a.spool, err = spool.Open(spool.Config{Dir: filepath.Join(a.cfg.Data, "spool"), Bytes: a.cfg.DeletedBytes, Disk: a.cfg.Disk, Logger: a.log})
	if err != nil {
		return err
	}
	strays := map[spool.Key]bool{}
	for key, at := range a.spool.List() {
		if _, ok := a.journal.Known(key.Topic, journalID(key.ID)); ok {
			continue
		}
		strays[key] = time.Since(at) > strayAge
		a.log.Warn("the spool has bytes of a file that the journal knows nothing of; they are not sent, and removed after seven days",
			"topic", key.Topic, "generation", key.ID.Generation().String(), "folder", filepath.Join(a.cfg.Data, "spool"), "removed", strays[key])
	}
	return a.spool.Sweep(func(key spool.Key) (line.Position, bool) {
		if strays[key] {
			return math.MaxInt64, true
		}
		return a.settledTo(key)
	})
}

// settledTo says up to where what the spool has of a generation is acknowledged, and
// whether nothing will be added.
func (a *Agent) settledTo(key spool.Key) (line.Position, bool) {
	g, _ := a.journal.Known(key.Topic, journalID(key.ID))
	return g.Position, g.Ended
}

// spooled is how many bytes are kept of deleted files.
func (a *Agent) spooled() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.mu.running {
		return 0
	}
	return float64(a.spool.Bytes())
}

// tidySpool removes from the spool what is acknowledged, until ctx ends.
func (a *Agent) tidySpool(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.spool.Sweep(a.settledTo); err != nil {
			a.log.Warn("the spool cannot be tidied up; it is tried again", "err", err)
		}
	}
}
