package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
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
	tmp, err := j.cfg.Disk.Open(next+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("beginning a new journal file: %w", err)
	}
	place := j.mu.meta.place
	if j.mu.file == nil || place == j.spot(j.path(j.mu.number)) { // else it is told first that this one was moved
		j.mu.meta.place = j.spot(next + ".tmp")
	}
	snapshot := j.mu.snapshot(nil)
	if err := j.install(tmp, next, snapshot); err != nil {
		tmp.Close()
		j.mu.meta.place = place
		return err
	}
	if j.mu.file != nil {
		j.mu.file.Close()
		j.cfg.Disk.Remove(j.path(j.mu.number)) // else the next start does: its successor is complete
	}
	j.mu.file, j.mu.number = tmp, j.mu.number+1
	j.mu.size = int64(len(snapshot))
	j.mu.base, j.mu.pending, j.mu.dirty, j.mu.suspect = j.mu.size, nil, false, false
	return nil
}

// install gives the snapshot its bytes and its name. When it fails neither name is
// left: a file of the next number would be taken for the newer one at the next start.
func (j *Journal) install(tmp disk.File, name string, snapshot []byte) error {
	if _, err := tmp.WriteAt(snapshot, 0); err != nil {
		return j.remove(name+".tmp", fmt.Errorf("writing the journal's snapshot: %w", err))
	}
	// The bytes must be on disk before the name is: a file of that name is trusted.
	if err := tmp.Sync(); err != nil {
		return j.remove(name+".tmp", fmt.Errorf("syncing the journal's snapshot: %w", err))
	}
	if err := j.cfg.Disk.Rename(name+".tmp", name); err != nil {
		return j.remove(name+".tmp", fmt.Errorf("naming the journal's snapshot: %w", err))
	}
	// The name must be on disk before the old file goes.
	if err := j.cfg.Disk.SyncDir(filepath.Dir(name)); err != nil {
		return j.remove(name, fmt.Errorf("naming the journal's snapshot: %w", err))
	}
	return nil
}

// remove takes the name of a file away that came to nothing because of err. If even
// that fails for a whole snapshot, it is spoilt, so that nobody believes it.
func (j *Journal) remove(name string, err error) error {
	rerr := j.cfg.Disk.Remove(name)
	if rerr == nil || errors.Is(rerr, os.ErrNotExist) || filepath.Ext(name) == ".tmp" {
		return err
	}
	f, oerr := j.cfg.Disk.Open(name, os.O_RDWR, 0)
	if oerr != nil {
		return errors.Join(err, rerr, oerr)
	}
	return errors.Join(err, rerr, f.Truncate(0), f.Close())
}

// dropOld forgets generations that are acknowledged and were not seen for Keep, and
// input values that nobody frames by and no batch in doubt was framed by.
func (j *Journal) dropOld() {
	limit := j.today() - int32(j.cfg.Keep/(24*time.Hour))
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
