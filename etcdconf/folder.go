package etcdconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Folder is the source of the *.json files in dir; a value's name is its file's name without .json, its revision
// the file's modification time in milliseconds. A file is taken over when it has lain still for a moment, so that
// one that is just being written, or replaced by an editor, is not seen half. log may be nil.
func Folder(dir string, log *slog.Logger) Source {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &folder{dir: dir, log: log, sweep: time.Second, still: 50 * time.Millisecond, patience: 2 * time.Second}
}

type folder struct {
	dir      string
	log      *slog.Logger
	sweep    time.Duration // between looks when nothing hints at a change
	still    time.Duration // two looks this far apart must see the same
	patience time.Duration // after which a folder that never lies still is taken as it is
}

// most is the longest file read: what etcd itself would hold as a value.
const mostValue = 1536 << 10

// Watch looks at the folder every sweep, and at once when fsnotify hints at a change. A hint proves nothing and its
// absence neither: what counts is what a look sees.
func (f *folder) Watch(ctx context.Context, apply func(values []Value)) error {
	if info, err := os.Stat(f.dir); err != nil {
		return fmt.Errorf("reading configuration from %s: %w: create the folder or name another", f.dir, err)
	} else if !info.IsDir() {
		return fmt.Errorf("reading configuration from %s: it is a file: name the folder it lies in", f.dir)
	}
	hints, stop := f.hints()
	defer stop()
	last, err := f.look()
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	apply(slices.Clone(last))
	sweep := time.NewTicker(f.sweep)
	defer sweep.Stop()
	missing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
		case <-hints:
		}
		now, err := f.settled(ctx, last)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !missing {
			f.log.Error("the configuration stays as it is", "because", err)
		}
		if missing = err != nil; missing || slices.EqualFunc(now, last, Value.same) {
			continue
		}
		last = now
		apply(slices.Clone(now))
	}
}

// settled looks until two looks in a row see the same.
func (f *folder) settled(ctx context.Context, last []Value) ([]Value, error) {
	before, err := f.look()
	for start := time.Now(); err == nil && !slices.EqualFunc(before, last, Value.same); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(f.still):
		}
		var now []Value
		now, err = f.look()
		if err == nil && (slices.EqualFunc(before, now, Value.same) || time.Since(start) > f.patience) {
			return now, nil
		}
		before = now
	}
	return before, err
}

// look reads the folder as it is now. A file that cannot be read becomes a value that says so.
func (f *folder) look() ([]Value, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var values []Value
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		v := Value{Name: name, Key: filepath.Join(f.dir, e.Name())}
		v.Revision, v.Data, v.Err = readValue(v.Key)
		if errors.Is(v.Err, os.ErrNotExist) {
			continue // gone since ReadDir
		}
		values = append(values, v)
	}
	sortValues(values)
	return values, nil
}

// readValue reads one file, which must be a regular one: a named pipe would block for ever.
func readValue(path string) (Revision, []byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, nil, err
	}
	at := Revision(info.ModTime().UnixMilli())
	if !info.Mode().IsRegular() {
		return at, nil, errors.New("is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return at, nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, mostValue+1))
	if err == nil && len(data) > mostValue {
		err = fmt.Errorf("is larger than %d bytes", mostValue)
	}
	return at, data, err
}

// hints is a channel that says when to look, and the function that ends it. Without fsnotify the sweep alone finds
// every change, a little later.
func (f *folder) hints() (<-chan fsnotify.Event, func()) {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		if err = w.Add(f.dir); err == nil {
			return w.Events, func() { w.Close() }
		}
		w.Close()
	}
	f.log.Warn("changes are found by looking every second only", "folder", f.dir, "because", err)
	return nil, func() {}
}
