package follow

import (
	"errors"
	"os"
	"testing"

	"github.com/loghaul/loghaul/internal/line"
)

// memorySpool keeps in memory, as a spool on a disk keeps across the death of a process.
type memorySpool struct {
	needed map[ID]line.Position
	kept   map[ID]*memoryKept
	room   int   // bytes that may be kept in all
	err    error // what the disk says
}

type memoryKept struct {
	Kept
	data []byte
}

func newMemorySpool() *memorySpool {
	return &memorySpool{needed: map[ID]line.Position{}, kept: map[ID]*memoryKept{}, room: 1 << 30}
}

func (m *memorySpool) Needed(id ID) line.Position { return m.needed[id] }

func (m *memorySpool) Keep(cp Checkpoint, g Kept, data []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	k := m.kept[cp.ID]
	if k == nil || k.To != g.To {
		k = &memoryKept{Kept: Kept{From: g.To, To: g.To, Line: g.Line}}
		k.Bytes = k
		m.kept[cp.ID] = k
	}
	n := min(len(data), m.room)
	m.room -= n
	k.data = append(k.data, data[:n]...)
	k.To, k.Size, k.Whole = k.To+line.Position(n), g.Size, g.Whole
	if n < len(data) {
		return n, ErrFull
	}
	return n, nil
}

func (m *memorySpool) Find(id ID) (Kept, bool) {
	if k := m.kept[id]; k != nil {
		return k.Kept, true
	}
	return Kept{}, false
}

func (k *memoryKept) ReadAt(b []byte, at int64) (int, error) {
	if at < int64(k.From) {
		return 0, errors.New("before what is kept")
	}
	return copy(b, k.data[min(at-int64(k.From), int64(len(k.data))):]), nil
}

func (k *memoryKept) Close() error { return nil }

// only is the one generation that is kept.
func (m *memorySpool) only(t *testing.T) *memoryKept {
	t.Helper()
	if len(m.kept) != 1 {
		t.Fatalf("%d generations are kept, want one", len(m.kept))
	}
	for _, k := range m.kept {
		return k
	}
	return nil
}

// die ends the Stream as kill -9 does: nothing is closed in good order.
func (tl *tailer) die(cfg Config) {
	tl.t.Helper()
	for _, g := range tl.s.held() {
		g.file.close()
	}
	tl.s.cfg.Spool = nil
	tl.restart(cfg)
}

// held opens a file for writing that stays open until the test ends.
func held(t *testing.T, path string) *os.File {
	t.Helper()
	w, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}
