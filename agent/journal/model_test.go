package journal

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/loghaul/loghaul/internal/line"
)

// model is the journal in a few lines: which bytes of each generation are
// acknowledged, and which batches are open.
type model struct {
	acked map[Ref][]bool
	open  map[Seq]*Entry
}

func (m *model) watermark(ref Ref) (n line.Position) {
	for int(n) < len(m.acked[ref]) && m.acked[ref][n] {
		n++
	}
	return n
}

func (m *model) done(e *Entry) {
	delete(m.open, e.Seq)
	for _, r := range e.Ranges {
		for i := r.Start - line.Position(r.Carry); i < r.End; i++ {
			m.acked[r.Ref][i] = true
		}
	}
}

func TestTheJournalAgreesWithItsModelThroughCrashes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		j := openWith(t, Config{Dir: t.TempDir(), CompactBytes: 2000})
		m := &model{acked: map[Ref][]bool{}, open: map[Seq]*Entry{}}
		for step := range 400 {
			m.step(t, j, r)
			if r.IntN(20) == 0 {
				j = openWith(t, j.cfg)
			}
			m.compare(t, j, seed, step)
		}
	}
}

func (m *model) step(t *testing.T, j *Journal, r *rand.Rand) {
	g := register(t, j, r.IntN(4))
	if m.acked[g.Ref] == nil {
		m.acked[g.Ref] = []bool{}
	}
	end := g.Begun + line.Position(r.IntN(50)+1)
	grow := func() {
		for line.Position(len(m.acked[g.Ref])) < end {
			m.acked[g.Ref] = append(m.acked[g.Ref], false)
		}
	}
	switch seqs := slices.Sorted(maps.Keys(m.open)); {
	case r.IntN(6) == 0:
		if err := j.Skip(g.Ref, g.Begun, end, Skips{}); err != nil {
			t.Fatal(err)
		}
		grow()
		for i := g.Begun; i < end; i++ {
			m.acked[g.Ref][i] = true
		}
	case len(seqs) > 0 && r.IntN(2) == 0:
		e := m.open[seqs[r.IntN(len(seqs))]]
		j.Done(e.Seq, 1)
		m.done(e)
	case len(seqs) > 1 && r.IntN(4) == 0:
		one := *m.open[seqs[0]]
		delete(m.open, seqs[0])
		if err := j.Replace([]Seq{seqs[0]}, []*Entry{&one}); err != nil {
			t.Fatal(err)
		}
		m.open[one.Seq] = &one
	default:
		e := batch(g, int32(j.mu.seqs), 1, g.Begun, end)
		e.Ranges[0].Carry = g.Carry
		m.open[begin(t, j, e).Seq] = e
		grow()
	}
	if r.IntN(30) == 0 {
		if err := j.compactIfLong(); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *model) compare(t *testing.T, j *Journal, seed uint64, step int) {
	t.Helper()
	for ref, bytes := range m.acked {
		acked, begun := j.Progress(ref)
		if acked != m.watermark(ref) || begun != line.Position(len(bytes)) {
			t.Fatalf("seed %d, step %d: generation %d acknowledged %d, begun %d; the model says %d and %d",
				seed, step, ref, acked, begun, m.watermark(ref), len(bytes))
		}
	}
	var open []Seq
	for _, e := range j.InDoubt()[web] {
		open = append(open, e.Seq)
	}
	if want := slices.Sorted(maps.Keys(m.open)); !slices.Equal(open, want) {
		t.Fatalf("seed %d, step %d: in doubt %v; the model says %v", seed, step, open, want)
	}
}

func FuzzFramesNeverPanic(f *testing.F) {
	s := newState()
	s.meta.instance = "i"
	s.putGeneration(&Generation{Ref: 1, Topic: "t", Path: "/p", ahead: spans{{3, 9}}})
	s.begin(batch(Generation{Ref: 1}, 5, 2, 0, 10))
	f.Add(s.snapshot(nil))
	f.Add(appendFrame(nil, kindReplace, func(b []byte) []byte { return putUint(putUint(b, 1<<40), 1) }))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newState()
		for len(data) > 0 {
			k, payload, n, err := nextFrame(data)
			if err != nil {
				// The payload alone is fuzzed too: a checksum seldom fits by chance.
				s.apply(kind(data[0]), data[1:])
				return
			}
			s.apply(k, payload)
			data = data[n:]
		}
		for _, g := range s.gens {
			for i := 1; i < len(g.ahead); i++ {
				if g.ahead[i-1].to >= g.ahead[i].from {
					t.Fatalf("ranges touch: %v", g.ahead)
				}
			}
		}
	})
}
