package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/loghaul/loghaul/internal/disk"
)

// Pending is one batch in doubt as somebody sees it who does not hold the journal.
type Pending struct {
	Input string // the name of the input that framed it
	Entry *Entry
}

// Peek lists the batches in doubt of a journal that another process may be writing, in
// the order in which they were begun. Nothing is changed, and what was written last may
// be missing. A folder without a journal has none: fs.ErrNotExist.
func Peek(dir string) ([]Pending, error) {
	j := &Journal{cfg: Config{Dir: dir, Disk: disk.Real{}}}
	var err error
	for range 5 { // the file may be replaced while it is looked for
		j.mu.state = newState()
		var name string
		if name, err = j.newest(); err != nil {
			return nil, err
		}
		var data []byte
		if data, err = disk.ReadFile(j.cfg.Disk, name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if _, base, cause := j.replay(data); base == 0 {
				err = cause
			}
		}
		break
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal in %s: %w", dir, err)
	}
	var out []Pending
	for _, seq := range slices.Sorted(maps.Keys(j.mu.open)) {
		p := Pending{Entry: j.mu.open[seq]}
		if in := j.mu.in[p.Entry.Input]; in != nil {
			p.Input = in.Name
		}
		out = append(out, p)
	}
	return out, nil
}

// newest is the path of the newest file that is not empty; nothing is cleared away.
func (j *Journal) newest() (string, error) {
	entries, err := j.cfg.Disk.ReadDir(j.cfg.Dir)
	if err != nil {
		return "", fmt.Errorf("reading the journal's folder: %w", err)
	}
	for _, e := range slices.Backward(entries) { // sorted by name
		if _, ok := j.numberOf(e.Name()); !ok {
			continue
		}
		if info, err := e.Info(); err == nil && info.Size() > 0 {
			return filepath.Join(j.cfg.Dir, e.Name()), nil
		}
	}
	return "", fmt.Errorf("%s holds no journal: %w", j.cfg.Dir, fs.ErrNotExist)
}
