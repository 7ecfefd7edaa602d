package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/internal/durable"
)

// compactIfLong writes the file anew when it has grown by CompactBytes, or by the
// size of its snapshot if that is more.
func (j *Journal) compactIfLong() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if grown := j.mu.size - j.mu.base; j.mu.closed || grown < max(j.cfg.CompactBytes, j.mu.base) {
		return nil
	}
	return j.compact()
}

// compact writes what is known to the next file and goes on there. Until its name
// is on disk the old file stands, so a crash at any point leaves one that is whole.
func (j *Journal) compact() error {
	j.dropOld()
	next := j.path(j.mu.number + 1)
	tmp, err := os.OpenFile(next+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("beginning a new journal file: %w", err)
	}
	snapshot := j.mu.snapshot(nil)
	if err := j.install(tmp, next, snapshot); err != nil {
		tmp.Close()
		os.Remove(tmp.Name())
		return err
	}
	if j.mu.file != nil {
		j.mu.file.Close()
		os.Remove(j.path(j.mu.number))
	}
	j.mu.file, j.mu.number = j.wrap(tmp), j.mu.number+1
	j.mu.size = int64(len(snapshot))
	j.mu.base, j.mu.pending, j.mu.dirty = j.mu.size, nil, false
	return nil
}

func (j *Journal) install(tmp *os.File, name string, snapshot []byte) error {
	if _, err := tmp.Write(snapshot); err != nil {
		return fmt.Errorf("writing the journal's snapshot: %w", err)
	}
	// The bytes must be on disk before the name is: a file of that name is trusted.
	if err := tmp.Sync(); err != nil {
		return fmt.Errorf("syncing the journal's snapshot: %w", err)
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return fmt.Errorf("naming the journal's snapshot: %w", err)
	}
	// The name must be on disk before the old file goes.
	return durable.SyncFolder(filepath.Dir(name))
}

// dropOld forgets generations that are acknowledged and were not seen for Keep, and
// input values that nobody frames by and no batch in doubt was framed by.
func (j *Journal) dropOld() {
	limit := day(j.cfg.Now()) - int32(j.cfg.Keep/(24*time.Hour))
	busy, used := map[Ref]bool{}, map[InputRef]bool{}
	for _, e := range j.mu.open {
		used[e.Input] = true
		for _, r := range e.Ranges {
			busy[r.Ref] = true
		}
	}
	for ref, g := range j.mu.gens {
		if g.Seen < limit && g.Acknowledged() && !busy[ref] {
			j.mu.forget(ref)
		}
	}
	for ref, in := range j.mu.in {
		if in.users <= 0 && !used[ref] {
			delete(j.mu.in, ref)
		}
	}
}
