package diskroom

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a log of nothing but sizes.
type fakeLog struct {
	mu      sync.Mutex
	start   record.Offset
	pieces  []commitlog.Piece // the last one takes the appends
	durable record.Offset
	most    int64
	slow    bool // a sync waits until somebody waits for it
	broken  error
	waiting func() // called by who waits for a sync
}

func newFakeLog() *fakeLog { return &fakeLog{pieces: []commitlog.Piece{{}}} }

func (l *fakeLog) append(records, bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.most > 0 && l.pieces[len(l.pieces)-1].Bytes+int64(bytes) > l.most {
		l.roll()
	}
	last := &l.pieces[len(l.pieces)-1]
	last.Next += record.Offset(records)
	last.Bytes += int64(bytes)
	last.Written = time.Now()
}

func (l *fakeLog) end() record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pieces[len(l.pieces)-1].Next
}

func (l *fakeLog) begin() record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pieces[0].Base
}

func (l *fakeLog) bytes() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pieces {
		n += p.Bytes
	}
	return n
}

func (l *fakeLog) Pieces(dst []commitlog.Piece) []commitlog.Piece {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.pieces {
		p.Sealed = i+1 < len(l.pieces) && p.Next <= l.durable
		dst = append(dst, p)
	}
	return dst
}

func (l *fakeLog) Seal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll()
	return l.broken
}

// roll begins a new piece; a sync follows at once, unless the log is slow.
func (l *fakeLog) roll() {
	if last := l.pieces[len(l.pieces)-1]; l.broken == nil && last.Bytes > 0 {
		l.pieces = append(l.pieces, commitlog.Piece{Base: last.Next, Next: last.Next})
		if !l.slow {
			l.durable = last.Next
		}
	}
}

func (l *fakeLog) WaitDurable(context.Context, record.Offset) error {
	if l.waiting != nil {
		l.waiting()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable = l.pieces[len(l.pieces)-1].Next
	return l.broken
}

func (l *fakeLog) DeleteForRoom(before record.Offset) (commitlog.Freed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := commitlog.Freed{From: l.pieces[0].Base, To: l.pieces[0].Base}
	for len(l.pieces) > 1 && l.pieces[0].Next <= min(before, l.durable) && l.broken == nil {
		f.To, f.Bytes, f.Segments = l.pieces[0].Next, f.Bytes+l.pieces[0].Bytes, f.Segments+1
		l.pieces = slices.Delete(l.pieces, 0, 1)
	}
	return f, l.broken
}

// world is a Room among fake logs and groups.
type world struct {
	t      *testing.T
	room   *Room
	mu     sync.Mutex
	logs   []Partition
	claims map[string]*Claim
	sinks  []Sink
	known  bool
	free   int64 // on the disk
	size   int64
	lines  strings.Builder
}

func newWorld(t *testing.T, cfg Config) *world {
	w := &world{t: t, claims: map[string]*Claim{}, known: true, free: 1 << 40, size: 1 << 41}
	cfg.Partitions = func() []Partition {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Clone(w.logs)
	}
	cfg.Groups = w.groups
	cfg.Sinks = func() ([]Sink, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.sinks, w.known
	}
	cfg.Space = func(string) (int64, int64) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.size, w.free
	}
	cfg.Logger = slog.New(slog.NewTextHandler(w, nil))
	if cfg.Ballast == 0 {
		cfg.Ballast = -1
	}
	var err error
	if w.room, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs the room until stop.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.room.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run returned %v", err)
		}
	}
}

// Write takes a line of the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(p)
}

func (w *world) count(s string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for line := range strings.Lines(w.lines.String()) {
		if strings.Contains(line, s) {
			n++
		}
	}
	return n
}

func (w *world) add(topic string, index int32, spared bool) *fakeLog {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := newFakeLog()
	l.most = MostSegment(w.room.cfg.Budget)
	w.logs = append(w.logs, Partition{Topic: topic, Index: index, Log: l, Spared: spared})
	return l
}

func (w *world) groups() []Claim {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Claim
	for _, c := range w.claims {
		one := *c
		one.Committed = map[At]record.Offset{}
		for at, o := range c.Committed {
			one.Committed[at] = o
		}
		list = append(list, one)
	}
	return list
}

func (w *world) commit(group, topic string, index int32, offset record.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.claims[group]
	if c == nil {
		c = &Claim{Group: group, Committed: map[At]record.Offset{}}
		w.claims[group] = c
	}
	c.Committed[At{topic, index}] = offset
	c.LastCommit = time.Now()
}

// produce is a client that brings records to a log, if it is let in.
func (w *world) produce(topic string, l *fakeLog, records, bytes int) error {
	err := w.room.Admit(topic, bytes)
	if err == nil {
		l.append(records, bytes)
		w.room.Note(bytes, nil)
	}
	return err
}

// fill produces until it is refused.
func (w *world) fill(topic string, l *fakeLog, bytes int) (taken int, err error) {
	for taken = range 1_000_000 {
		if err = w.produce(topic, l, 1, bytes); err != nil {
			return taken, err
		}
	}
	w.t.Fatal("nobody was refused")
	return taken, nil
}

func (w *world) wantRefusal(err error, parts ...string) {
	w.t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			w.t.Errorf("refused with %v, want %q in it", err, part)
		}
	}
}

// in is an id for a message.
func in(topic string, index int) string { return fmt.Sprintf("%s-%d", topic, index) }

// realDisk is the operating system's.
var realDisk = disk.Or(nil)
