package txn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// modelTxn is what a transactional id should be, in as few words as there are.
type modelTxn struct {
	state   State
	who     Producer
	old     int16 // the epoch that may ask again; -1: none
	started time.Time
	spans   map[Partition]bool
}

// model is the coordinator and its partitions as they should be.
type model struct {
	ids     map[ID]*modelTxn
	markers map[Partition][]Marker
	stuck   bool // markers are refused
}

// end tells every partition, unless markers are refused.
func (m *model) end(t *modelTxn, commit bool) {
	t.state = PrepareAbort
	if commit {
		t.state = PrepareCommit
	}
	m.tell(t)
}

func (m *model) tell(t *modelTxn) {
	if m.stuck {
		return
	}
	for p := range t.spans {
		m.markers[p] = append(m.markers[p], Marker{t.who, t.state == PrepareCommit, 0})
	}
	t.state += 2
	t.spans = map[Partition]bool{}
}

func (m *model) init(id ID, expected Producer, fresh Producer) (Producer, error) {
	t := m.ids[id]
	if t == nil {
		m.ids[id] = &modelTxn{who: fresh, old: -1, spans: map[Partition]bool{}}
		return fresh, nil
	}
	goesOn := expected.ID >= 0
	switch {
	case goesOn && (expected.ID != t.who.ID || t.state == Ongoing && expected != t.who):
		return nobody, ErrFenced
	case t.state == PrepareCommit || t.state == PrepareAbort:
		return nobody, ErrConcurrent
	case t.state == Ongoing:
		t.who.Epoch++
		t.old = -1
		m.end(t, false)
		return nobody, ErrConcurrent
	case goesOn && expected.Epoch == t.old:
		t.state = Empty
		return t.who, nil
	case goesOn && expected.Epoch != t.who.Epoch:
		return nobody, ErrFenced
	}
	t.old = -1
	if goesOn {
		t.old = t.who.Epoch
	}
	t.who.Epoch++
	t.state = Empty
	return t.who, nil
}

// check is what every request of a producer begins with.
func (m *model) check(id ID, who Producer) (*modelTxn, error) {
	t := m.ids[id]
	switch {
	case t == nil || t.who.ID != who.ID:
		return nil, ErrUnknownProducer
	case t.who.Epoch != who.Epoch:
		return nil, ErrFenced
	}
	return t, nil
}

func (m *model) add(id ID, who Producer, p Partition) error {
	t, err := m.check(id, who)
	switch {
	case err != nil:
		return err
	case t.state == PrepareCommit || t.state == PrepareAbort:
		return ErrConcurrent
	case t.state != Ongoing:
		t.state, t.started = Ongoing, time.Now()
	}
	t.spans[p] = true
	return nil
}

func (m *model) finish(id ID, who Producer, commit bool) error {
	t, err := m.check(id, who)
	if err != nil {
		return err
	}
	committed := t.state == PrepareCommit || t.state == CompleteCommit
	switch {
	case t.state == Ongoing:
		m.end(t, commit)
		return nil
	case t.state == Empty || committed != commit:
		return ErrInvalidTxnState
	case t.state == PrepareCommit || t.state == PrepareAbort:
		return ErrConcurrent
	}
	return nil
}

func (m *model) enter(id ID, who Producer, p Partition) error {
	t, err := m.check(id, who)
	switch {
	case errors.Is(err, ErrFenced):
		return ErrStaleEpoch
	case err != nil:
		return err
	case t.state != Ongoing || !t.spans[p]:
		return ErrInvalidTxnState
	}
	return nil
}

// pass lets time go by: what is refused is tried again, and what takes too long is aborted.
func (m *model) pass() {
	for _, t := range m.ids {
		if t.state == PrepareCommit || t.state == PrepareAbort {
			m.tell(t)
		}
	}
}

func (m *model) abortLate() {
	for _, t := range m.ids {
		if t.state == Ongoing && time.Since(t.started) > long {
			t.who.Epoch++
			t.old = -1
			m.end(t, false)
		}
	}
}

// long is the timeout of the transactions: longer than all the patience of the walk together.
const long = 10 * time.Minute

func TestTheCoordinatorDoesAsTheModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			film(t, Config{RewriteBytes: 2000, EndPatience: time.Millisecond}, func(w *world) { walk(w, rand.New(rand.NewPCG(seed, 4))) })
		})
	}
}

// walk does 300 things at random to both and compares them after each.
func walk(w *world, r *rand.Rand) {
	m := &model{ids: map[ID]*modelTxn{}, markers: map[Partition][]Marker{}}
	at := []Partition{a0, a1, b0}
	for step := range 300 {
		id := ID(rune('p' + r.IntN(3)))
		p := at[r.IntN(len(at))]
		who := Producer{ProducerID(r.IntN(3)), int16(r.IntN(3))}
		if known := m.ids[id]; known != nil && r.IntN(5) > 0 {
			who = known.who
			who.Epoch -= int16(r.IntN(6) / 5)
		}
		what := fmt.Sprintf("step %d: ", step)
		var got, want error
		switch dice := r.IntN(20); {
		case dice < 3:
			expected := nobody
			if r.IntN(2) == 0 {
				expected = who
			}
			what += fmt.Sprintf("Init(%s, %v)", id, expected)
			gotWho, err := w.wait(w.Init(InitRequest{ID: id, Timeout: long, Expected: expected}))
			wantWho, wantErr := m.init(id, expected, gotWho)
			if got, want = err, wantErr; gotWho != wantWho {
				w.t.Fatalf("%s: %v, want %v", what, gotWho, wantWho)
			}
		case dice < 9:
			what += fmt.Sprintf("Add(%s, %v, %v)", id, who, p)
			_, got = w.wait(w.Add(id, who, []Partition{p}))
			want = m.add(id, who, p)
		case dice < 12:
			what += fmt.Sprintf("End(%s, %v, %v)", id, who, dice < 10)
			want = m.finish(id, who, dice < 10)
			_, got = w.wait(w.End(id, who, dice < 10))
		case dice < 15:
			what += fmt.Sprintf("Enter(%s, %v, %v)", id, who, p)
			got, want = w.enters(id, who, p), m.enter(id, who, p)
		case dice < 16:
			what += "markers refused or not"
			m.stuck = !m.stuck
			w.at.set(func() {
				if w.at.refuse = nil; m.stuck {
					w.at.refuse = errors.New("no")
				}
			})
			time.Sleep(2 * time.Second)
			m.pass()
		case dice < 17:
			what += "time goes by"
			time.Sleep(long + 15*time.Second)
			m.abortLate()
		case dice < 19:
			what += "crash"
			w.crash(1 << 30)
			m.pass()
		}
		synctest.Wait()
		if !errors.Is(got, want) {
			w.t.Fatalf("%s: %v, want %v", what, got, want)
		}
		compare(w, m, what, at)
	}
}

func compare(w *world, m *model, what string, at []Partition) {
	w.t.Helper()
	if list := w.List(func(Description) bool { return true }); len(list) != len(m.ids) {
		w.t.Fatalf("%s: %d ids, want %d", what, len(list), len(m.ids))
	}
	for id, want := range m.ids {
		got, err := w.Describe(id)
		if err != nil || got.State != want.state || got.Producer != want.who || len(got.Partitions) != len(want.spans) {
			w.t.Fatalf("%s: %s is %v (%v), want %+v", what, id, got, err, *want)
		}
	}
	for _, p := range at {
		got := w.at.of(p)
		if !slices.Equal(sorted(got), sorted(m.markers[p])) {
			w.t.Fatalf("%s: %v has %v, want %v", what, p, got, m.markers[p])
		}
	}
}

// sorted is for markers of different producers, whose order among each other does not matter.
func sorted(list []Marker) []string {
	var out []string
	for _, m := range list {
		out = append(out, fmt.Sprint(m))
	}
	slices.Sort(out)
	return out
}
