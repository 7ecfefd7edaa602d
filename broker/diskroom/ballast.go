package diskroom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
)

// ballastName is the file that is given up when the disk is full. It stays over restarts: a broker that starts on a
// full disk has it.
const ballastName = "reserve.ballast"

// mostBallast bounds it, in bytes: some 100,000 commits.
const mostBallast = 16 << 20

// IsFull says whether a write failed for want of room on the disk.
func IsFull(err error) bool { return noSpace(err) }

// ballastBytes is how large the ballast is to be; 0 or less: there is none.
func (r *Room) ballastBytes() int64 {
	_, real := disk.Or(r.cfg.Disk).(disk.Real)
	if r.cfg.Ballast != 0 || !real {
		return max(r.cfg.Ballast, 0)
	}
	most := int64(mostBallast)
	if r.cfg.Budget > 0 {
		most = min(most, r.marks.budget-r.marks.limit) // no more than the reserve
	}
	if total, _ := r.cfg.Space(r.cfg.Dir); total >= 0 {
		most = min(most, total/100)
	}
	return most &^ 4095
}

func (r *Room) ballastPath() string { return filepath.Join(r.cfg.Dir, ballastName) }

// ballastMissing says whether it is to be made.
func (r *Room) ballastMissing() bool {
	r.ballast.Lock()
	defer r.ballast.Unlock()
	return r.cfg.Ballast > 0 && !r.ballast.there
}

// errNoReserve is why clients are refused before a write has failed.
var errNoReserve = errors.New("there is no room for a reserve for commits beside them")

// keepBallast makes the ballast where it is missing and the disk has room for twice as much. Where it has not, the disk
// counts as full: a restart must not leave to clients what commits need.
func (r *Room) keepBallast() {
	if !r.ballastMissing() || r.full.Load() != nil {
		return
	}
	r.ballast.Lock()
	defer r.ballast.Unlock()
	fsys, path := disk.Or(r.cfg.Disk), r.ballastPath()
	kept := KeepForStart(fsys, r.cfg.Dir)
	if info, err := fsys.Stat(path); err == nil && info.Size() == r.cfg.Ballast {
		r.ballast.there = kept // else the next look tries again
		return
	}
	if _, free := r.cfg.Space(r.cfg.Dir); free >= 0 && free < 2*r.cfg.Ballast {
		r.enterFull(0, errNoReserve)
		return
	}
	err := layBallast(fsys, path, r.cfg.Ballast)
	r.ballast.there = err == nil && kept
	if err != nil {
		_ = fsys.Remove(path)
		if text := err.Error(); text != r.said() {
			r.mu.Lock()
			r.mu.said = text
			r.mu.Unlock()
			r.log.Warn("keeping a reserve for a full disk, trying again", "error", err)
		}
	}
}

// said is the last complaint, so that it is made once.
func (r *Room) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.said
}

// layBallast makes the file. What it holds is of no matter, only that its blocks are its own; it needs no sync, because
// a power cut that loses it also gives the blocks back.
func layBallast(fsys disk.FS, path string, size int64) error {
	f, err := fsys.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("making %s: %w", path, err)
	}
	done, err := allocate(f.OS(), size)
	if err == nil && !done {
		err = fill(f, size)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("making %s of %s: %w", path, Bytes(size), err)
	}
	return nil
}

// fill writes the file where the system cannot be asked for blocks. It is no pattern: a file system that compresses
// would keep none of it.
func fill(f disk.File, size int64) error {
	block, x := make([]byte, min(size, 64<<10)), uint64(88172645463325252)
	for at := int64(0); at < size; at += int64(len(block)) {
		for i := range block {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			block[i] = byte(x)
		}
		if _, err := f.WriteAt(block[:min(int64(len(block)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// dropBallast gives the blocks back to the disk; true: there were some.
func (r *Room) dropBallast() bool {
	r.ballast.Lock()
	defer r.ballast.Unlock()
	if r.cfg.Ballast <= 0 {
		return false
	}
	fsys := disk.Or(r.cfg.Disk)
	info, err := fsys.Stat(r.ballastPath())
	r.ballast.there = false
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err := fsys.Remove(r.ballastPath()); err != nil {
		r.log.Warn("giving up the reserve for a full disk", "error", err)
		return false
	}
	return info != nil && info.Size() > 0
}

// leave gives the ballast up at the end when the disk has not room enough to close the logs cleanly.
func (r *Room) leave() {
	if _, free := r.cfg.Space(r.cfg.Dir); free >= 0 && free < r.cfg.Ballast {
		r.dropBallast()
	}
}
