package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// ledger is the sidecar: a dot file in the out root that says how long each open file may be and which offset
// comes next. It is replaced whole: written to a temporary file, fsynced, renamed, the folder fsynced.
//
//	{"version": 1,
//	 "topics": {"web_log/0": "<topic id>"},
//	 "points": [{"next": {"web_log/0": 1200}, "lengths": {"web_log/0/2026-11-21.log": 81920}}, ...],
//	 "files":  [{"path": "web_log/0/2026-11-21.log", "base": 0, "start": 0, "opened": 1763712000000}],
//	 "rolling": [{"from": "web_log/0/2026-11-21.log", "to": "web_log/0/2026-11-21-0.log", "length": 268435456}]}
//
// points are the last three stored batches, the newest last. A commit follows its batch, and the next batch but
// one does not begin before it is acknowledged, so the group's commit is one of the three, and the files can be cut
// to it. Fields may be added; a reader of another version refuses the file.
type ledger struct {
	Version int               `json:"version"`
	Topics  map[string]string `json:"topics,omitempty"` // topic/partition to the topic's id
	Points  []point           `json:"points"`
	Files   []*entry          `json:"files"`
	Rolling []rolling         `json:"rolling,omitempty"`
}

// point is what is stored after one batch.
type point struct {
	Next    map[string]record.Offset `json:"next"`    // topic/partition to the offset after the last stored one
	Lengths map[string]int64         `json:"lengths"` // path to bytes; a file that is missing here had its base length
}

// entry is one file that is written to.
type entry struct {
	Path   string        `json:"path"`
	Base   int64         `json:"base"`             // its length when we began with it: not ours to cut
	Start  record.Offset `json:"start"`            // of its first record since it was made; names it when it rolls
	Opened int64         `json:"opened"`           // milliseconds since 1970, for rolling by age
	Rolled bool          `json:"rolled,omitempty"` // it has its last name, nothing comes to it any more
	Packed bool          `json:"packed,omitempty"` // and it is compressed: it cannot be cut

	file   *os.File // nil: not open now
	length int64    // as stored by the newest point
}

// rolling is a rename that has been decided; it is done again at the next start when a kill came between.
type rolling struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Length int64  `json:"length"`
}

const (
	ledgerVersion = 1
	keptPoints    = 3
)

// readLedger reads a sidecar; a missing one is an empty ledger.
func readLedger(root *os.Root, name string) (*ledger, error) {
	b, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &ledger{Version: ledgerVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sidecar: %w", err)
	}
	l := &ledger{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("reading the sidecar %s: %w: move it away to go on from the group's commit", name, err)
	}
	if slices.Contains(l.Files, nil) {
		return nil, fmt.Errorf("reading the sidecar %s: it names no file where one should be: move it away to go on from the group's commit", name)
	}
	if l.Version != ledgerVersion {
		return nil, fmt.Errorf("reading the sidecar %s: version %d, want %d", name, l.Version, ledgerVersion)
	}
	return l, nil
}

// writeTemp writes the ledger, durable, beside the one in force, and returns its name.
func (l *ledger) writeTemp(root *os.Root, name string) (string, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("encoding the sidecar %s: %w", name, err)
	}
	temp := name + ".new"
	f, err := root.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return "", fmt.Errorf("writing the sidecar: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		// The rename must never show a file whose bytes a power cut could take.
		err = syncFile(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("writing the sidecar %s: %w", temp, err)
	}
	return temp, nil
}

// newest is the last point; there is none in an empty ledger.
func (l *ledger) newest() (point, bool) {
	if len(l.Points) == 0 {
		return point{}, false
	}
	return l.Points[len(l.Points)-1], true
}

// rewind forgets the points behind left, the offset at which another owner went on; one is kept in any case. Only
// a book of one partition can be cut to an older point.
func (l *ledger) rewind(tp string, left record.Offset, own bool) {
	if left == sink.NoOffset || !own {
		return
	}
	for len(l.Points) > 1 && l.Points[len(l.Points)-1].Next[tp] > left {
		l.Points = l.Points[:len(l.Points)-1]
	}
}

// forgetMissing drops the files that somebody took away.
func (l *ledger) forgetMissing() {
	l.Files = slices.DeleteFunc(l.Files, func(e *entry) bool {
		if e.length >= 0 {
			return false
		}
		for _, p := range l.Points {
			delete(p.Lengths, e.Path)
		}
		return true
	})
}

// lengthAt is how long a file was at a point.
func (e *entry) lengthAt(p point) int64 {
	if n, ok := p.Lengths[e.Path]; ok {
		return n
	}
	return e.Base
}

// push adds a point with the entries' present lengths and forgets what no point needs any more; of files that lines
// may still come to it keeps at most bound, those begun last.
func (l *ledger) push(next map[string]record.Offset, bound int) {
	p := point{Next: next, Lengths: make(map[string]int64, len(l.Files))}
	for _, e := range l.Files {
		p.Lengths[e.Path] = e.length
	}
	if last, ok := l.newest(); ok && maps.Equal(last.Next, next) {
		l.Points = l.Points[:len(l.Points)-1] // nothing was stored between the two
	}
	l.Points = append(l.Points, p)
	if old := len(l.Points) - keptPoints; old > 0 {
		l.Points = slices.Delete(l.Points, 0, old)
	}
	over := len(l.Files) - bound
	l.Files = slices.DeleteFunc(l.Files, func(e *entry) bool {
		gone := (e.Rolled || over > 0 && e.file == nil) && e.settled(l.Points)
		if gone {
			over--
		}
		return gone
	})
}

// settled says that the file has the same length at every point, so that no cut can touch it.
func (e *entry) settled(points []point) bool {
	for _, p := range points {
		if e.lengthAt(p) != e.length {
			return false
		}
	}
	return true
}

// renamed moves an entry to another path, in the points too.
func (l *ledger) renamed(e *entry, to string) {
	for _, p := range l.Points {
		if n, ok := p.Lengths[e.Path]; ok {
			delete(p.Lengths, e.Path)
			p.Lengths[to] = n
		}
	}
	e.Path, e.Rolled = to, true
}

// find is the entry with this path that is still written to, or nil.
func (l *ledger) find(path string) *entry {
	for _, e := range l.Files {
		if e.Path == path && !e.Rolled {
			return e
		}
	}
	return nil
}
