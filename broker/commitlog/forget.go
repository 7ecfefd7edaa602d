package commitlog

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// KnownStart is where the log in dir begins by its recovery point, 0 when there is none that can be read: records before
// it were deleted, whether or not their bytes are still there.
func KnownStart(fsys disk.FS, dir string) (record.Offset, error) {
	point, err := loadCheckpoint(fsys, dir)
	if errors.Is(err, errNewer) {
		return 0, err
	}
	if err != nil || point == nil { // an unusable one says nothing to Open either
		return 0, nil
	}
	return point.start, nil
}

// Forget removes what this program knows of the log in dir besides the files that are Kafka's too: another program has
// written there since, compacted segments or cut the end, and a recovery point held against that would take sound
// batches for damage. The removal is durable when it returns, because the next Open vouches for what it finds instead.
func Forget(fsys disk.FS, dir string) error {
	names, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(d fs.DirEntry) bool { _, ok := parseSegmentName(d.Name(), logSuffix); return ok }) {
		return nil // the point alone says which offsets are used
	}
	gone := false
	for _, d := range names {
		if d.IsDir() || !strings.HasPrefix(d.Name(), ownPrefix) {
			continue
		}
		if err := fsys.Remove(filepath.Join(dir, d.Name())); err != nil {
			return &StorageError{Op: "removing", Path: filepath.Join(dir, d.Name()), Err: err}
		}
		gone = true
	}
	if !gone {
		return nil
	}
	return fsys.SyncDir(dir)
}

// ownPrefix begins the names of all files in a log's folder that no Kafka knows.
const ownPrefix = "commitlog-"
