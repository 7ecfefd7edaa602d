package diskroom

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
)

const (
	// asideEvery is for how long the bytes of the small files are good at least: they change little.
	asideEvery = 5 * time.Minute
	// asideShare is how many times as long as a walk through all folders took: that is a thousandth of the time.
	asideShare = 1000
)

// countAside keeps count, until ctx ends, of what lies in the data folder beside the logs: settings, checkpoints, what the
// logs know of their producers. Nobody waits for it: on a slow disk a walk through ten thousand folders takes minutes, and
// writers who wait for a look would be refused.
func (r *Room) countAside(ctx context.Context) {
	for {
		began := time.Now()
		if bytes := smallFiles(ctx, disk.Or(r.cfg.Disk), r.cfg.Dir); ctx.Err() == nil {
			r.aside.Store(bytes)
		}
		again := time.NewTimer(max(asideEvery, asideShare*time.Since(began)))
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
	}
}

// smallFiles adds up the data folder and the folders in it. What cannot be looked at is not counted: who needs it says so.
func smallFiles(ctx context.Context, fsys disk.FS, dir string) (sum int64) {
	entries, _ := fsys.ReadDir(dir)
	for _, e := range entries {
		if ctx.Err() != nil {
			return sum
		}
		if !e.IsDir() {
			sum += smallFile(e)
			continue
		}
		inside, _ := fsys.ReadDir(filepath.Join(dir, e.Name()))
		for _, f := range inside {
			if !f.IsDir() {
				sum += smallFile(f)
			}
		}
	}
	return sum
}

// passing ends the names of files that are on their way, or are counted with their logs.
var passing = []string{".log", ".index", ".timeindex", ".txnindex", ".cleaned", ".swap", ".tmp", ".deleted"}

func smallFile(e fs.DirEntry) int64 {
	name := e.Name()
	if name == ballastName || name == startName {
		return 0 // they make room, they take none
	}
	for _, end := range passing {
		if strings.HasSuffix(name, end) {
			return 0
		}
	}
	info, err := e.Info()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}
