package diskroom

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
)

// startName is a second, small ballast, which nothing but a start may use: the large one may be gone, and its place used
// up, when the broker is stopped on a full disk.
const startName = "reserve.start"

// StartBytes is how much room a start has of its own.
const StartBytes = 64 << 10

// Replace does what a start has to write. Where the disk is full it is tried again with the room that is kept for that,
// then with the reserve for commits.
func Replace(fsys disk.FS, dir string, write func() error) error {
	fsys = disk.Or(fsys)
	err := write()
	for _, name := range []string{startName, ballastName} {
		if !noSpace(err) {
			break
		}
		if rerr := fsys.Remove(filepath.Join(dir, name)); rerr == nil {
			err = write()
		} else if !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	if err == nil {
		KeepForStart(fsys, dir)
	}
	return err
}

// KeepForStart keeps room for the next start where there is none yet, and says whether it is kept. Where the disk has none
// to give it is tried again later, and a start without it says what is missing.
func KeepForStart(fsys disk.FS, dir string) bool {
	if _, real := fsys.(disk.Real); !real {
		return true // another one has no ballast
	}
	path := filepath.Join(dir, startName)
	if info, err := fsys.Stat(path); err == nil && info.Size() == StartBytes {
		return true
	}
	if layBallast(fsys, path, StartBytes) != nil {
		_ = fsys.Remove(path) // a part of it would be taken for all
		return false
	}
	return true
}
