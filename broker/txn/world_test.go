package txn

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// memLog is a log in memory. What was appended is durable at once unless it is held.
type memLog struct {
	mu      sync.Mutex
	batches [][]byte
	start   record.Offset
	end     record.Offset
	durable record.Offset
	held    bool
	refuse  error // of Append
	broken  error // of WaitDurable
	changed chan struct{}
}

func newMemLog() *memLog { return &memLog{changed: make(chan struct{})} }

func (m *memLog) Append(batch []byte) (first, last record.Offset, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return 0, 0, m.refuse
	}
	binary.BigEndian.PutUint64(batch, uint64(m.end))
	h, err := record.ParseHeader(batch)
	if err != nil {
		return 0, 0, err
	}
	m.batches = append(m.batches, append([]byte(nil), batch...))
	first, m.end = m.end, h.NextOffset()
	if !m.held {
		m.durable = m.end
	}
	m.wakeLocked()
	return first, m.end - 1, nil
}

func (m *memLog) wakeLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// hold stops or releases the disk.
func (m *memLog) hold(held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = held
	if !held {
		m.durable = m.end
	}
	m.wakeLocked()
}

// fail makes appends (refuse) or syncs (broken) fail; nil: work again.
func (m *memLog) fail(refuse, broken error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse, m.broken = refuse, broken
	m.wakeLocked()
}

func (m *memLog) WaitDurable(ctx context.Context, last record.Offset) error {
	for {
		m.mu.Lock()
		durable, broken, changed := m.durable > last, m.broken, m.changed
		m.mu.Unlock()
		if durable || broken != nil {
			return broken
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (m *memLog) Replay(_ context.Context, f func([]byte) error) error {
	m.mu.Lock()
	batches := m.batches
	m.mu.Unlock()
	for _, b := range batches {
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

func (m *memLog) DropBefore(offset record.Offset) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.batches) > 0 {
		h, err := record.ParseHeader(m.batches[0])
		if err != nil || h.NextOffset() > offset {
			return err
		}
		m.batches = m.batches[1:]
	}
	m.start = offset
	return nil
}

// crashed is a copy as a power cut finds it: the first n batches, and no fewer than are durable.
func (m *memLog) crashed(n int) *memLog {
	c := newMemLog()
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, b := range m.batches {
		h, err := record.ParseHeader(b)
		if err != nil || i >= n && h.BaseOffset >= m.durable {
			break
		}
		c.batches, c.end = append(c.batches, b), h.NextOffset()
	}
	c.durable = c.end
	return c
}

// partitions are where markers go: what each has got, in order.
type partitions struct {
	mu      sync.Mutex
	markers map[Partition][]Marker
	gone    map[Partition]bool
	refuse  error               // of Mark
	broken  map[Partition]error // of Mark, there alone
	late    bool                // markers do not become durable
}

func newPartitions() *partitions {
	return &partitions{markers: map[Partition][]Marker{}, gone: map[Partition]bool{}}
}

func (p *partitions) Mark(at Partition, m Marker) (func(context.Context) error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone[at] {
		return nil, ErrNoPartition
	}
	if err := cmp.Or(p.refuse, p.broken[at]); err != nil {
		return nil, err
	}
	p.markers[at] = append(p.markers[at], m)
	late := p.late
	return func(ctx context.Context) error {
		if !late {
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}, nil
}

func (p *partitions) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *partitions) of(at Partition) []Marker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Marker(nil), p.markers[at]...)
}

// world is a running coordinator in a synctest bubble.
type world struct {
	*Coordinator
	t    *testing.T
	log  *memLog
	at   *partitions
	ids  *ProducerIDs
	cfg  Config
	stop func()
}

func begin(t *testing.T, cfg Config, log *memLog, at *partitions, ids *ProducerIDs) *world {
	t.Helper()
	if ids == nil {
		var err error
		if ids, err = OpenIDs(IDsConfig{Path: filepath.Join(t.TempDir(), "ids")}); err != nil {
			t.Fatal(err)
		}
	}
	c, err := New(cfg, log, ids, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return &world{Coordinator: c, t: t, log: log, at: at, ids: ids, cfg: cfg, stop: stop}
}

// film runs a story in its own time, with a fresh coordinator.
func film(t *testing.T, cfg Config, story func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, cfg, newMemLog(), newPartitions(), nil)
		defer func() { w.stop() }()
		story(w)
	})
}

// crash ends the coordinator and begins another over what a power cut leaves: the first n batches of the log.
func (w *world) crash(n int) {
	w.t.Helper()
	log := w.log.crashed(n)
	w.stop()
	*w = *begin(w.t, w.cfg, log, w.at, w.ids)
	synctest.Wait()
}

const minute = time.Minute

// wait is what a request comes to, after everything it has set off.
func (w *world) wait(p *Pending) (Producer, error) {
	w.t.Helper()
	who, err := p.Wait(w.t.Context())
	synctest.Wait()
	return who, err
}

func (w *world) init(id ID) Producer {
	w.t.Helper()
	who, err := w.wait(w.Init(InitRequest{ID: id, Timeout: minute, Expected: nobody}))
	if err != nil {
		w.t.Fatalf("Init(%s): %v", id, err)
	}
	return who
}

func (w *world) add(id ID, who Producer, ps ...Partition) {
	w.t.Helper()
	if _, err := w.wait(w.Add(id, who, ps)); err != nil {
		w.t.Fatalf("Add(%s, %v): %v", id, who, err)
	}
}

func (w *world) end(id ID, who Producer, commit bool) {
	w.t.Helper()
	if _, err := w.wait(w.End(id, who, commit)); err != nil {
		w.t.Fatalf("End(%s, %v, %v): %v", id, who, commit, err)
	}
}

// refuses holds what a request comes to against the error wanted.
func (w *world) refuses(p *Pending, want error) {
	w.t.Helper()
	if _, err := w.wait(p); !errors.Is(err, want) {
		w.t.Fatalf("got error %v, want %v", err, want)
	}
}

// enters says whether a batch is let in, and leaves again.
func (w *world) enters(id ID, who Producer, p Partition) error {
	leave, err := w.Enter(string(id), int64(who.ID), who.Epoch, p.Topic, p.Index)
	if err == nil {
		leave()
	}
	return err
}

func (w *world) is(id ID, want State) {
	w.t.Helper()
	d, err := w.Describe(id)
	if err != nil || d.State != want {
		w.t.Fatalf("%s is %v (%v), want %v", id, d.State, err, want)
	}
}

// marked holds the markers of a partition against those wanted.
func (w *world) marked(p Partition, want ...Marker) {
	w.t.Helper()
	got := w.at.of(p)
	if len(got) != len(want) {
		w.t.Fatalf("%v got markers %v, want %v", p, got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			w.t.Fatalf("%v got marker %d %v, want %v", p, i, got[i], want[i])
		}
	}
}

var (
	a0 = Partition{"a", 0}
	a1 = Partition{"a", 1}
	b0 = Partition{"b", 0}
)
