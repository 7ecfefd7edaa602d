package journal

import (
	"maps"
	"slices"

	"github.com/loghaul/loghaul/internal/line"
)

// Skips are source bytes that were left out on purpose, by reason.
type Skips struct {
	Filtered int64 // lines that the input's filters dropped
	Overlong int64 // of lines longer than the input allows
}

// Plus is both together.
func (s Skips) Plus(o Skips) Skips { return Skips{s.Filtered + o.Filtered, s.Overlong + o.Overlong} }

// Minus is what of s is not in o.
func (s Skips) Minus(o Skips) Skips {
	return Skips{s.Filtered - o.Filtered, s.Overlong - o.Overlong}
}

// Unknown is the From of a generation of which an earlier journal knew where reading
// began.
const Unknown line.Position = -1

// forgottenMost bounds how many generations are remembered as forgotten.
const forgottenMost = 4096

// account is what the account of a generation holds beside its positions.
type account struct {
	changed bool // since Changed told of it
}

// Changed lists generations of which something changed since it was last asked, at most
// as many as most; all of them after the start. Which come first is chance, so none
// waits for ever.
func (j *Journal) Changed(most int) []Generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Generation
	for _, g := range j.mu.gens {
		if !g.account.changed {
			continue
		}
		if len(out) == most {
			break
		}
		g.account.changed = false
		out = append(out, g.clone())
	}
	return out
}

// Forgotten lists the generations that were forgotten since it was last asked; of very
// many only the last.
func (j *Journal) Forgotten() []Generation {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.mu.forgotten
	j.mu.forgotten = nil
	return slices.DeleteFunc(out, func(g Generation) bool { // it may be known again
		_, known := j.mu.byName[nameKey{g.Topic, g.Name}]
		return known
	})
}

// Doubled writes down that records of a generation were sent again without proof that
// they were missing. It cannot fail: without room it is remembered and written later.
func (j *Journal) Doubled(ref Ref, records int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.gens[ref] == nil || records <= 0 {
		return
	}
	j.fact(appendFrame(nil, kindDouble, func(b []byte) []byte { return putInt(putUint(b, uint64(ref)), records) }))
	j.mu.doubled(ref, records)
}

// Sums says of the sum over all generations how many bytes were lost, and how many
// records may be double.
func (j *Journal) Sums() (lost, doubles int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for g := range maps.Values(j.mu.gens) {
		lost, doubles = lost+g.Lost, doubles+g.Doubles
	}
	return lost, doubles
}

func (s *state) doubled(ref Ref, records int64) {
	if g := s.gens[ref]; g != nil {
		g.Doubles += records
		g.account.changed = true
	}
}

// count adds what a range or a skip left out on purpose.
func (g *Generation) count(left Skips) {
	g.Skips, g.account.changed = g.Skips.Plus(left), true
}

func (s Skips) append(b []byte) []byte { return putInt(putInt(b, s.Filtered), s.Overlong) }

func (p *parser) skips() Skips { return Skips{p.int(), p.int()} }

// appendAccount writes what the account of a generation holds: the end of its frame.
func (g *Generation) appendAccount(b []byte) []byte {
	b = putInt(g.Skips.append(putInt(b, int64(g.From))), g.Doubles)
	if g.TopicID == (TopicID{}) {
		return b
	}
	return putInt(append(b, g.TopicID[:]...), int64(g.Earlier))
}

// readAccount reads it; older frames do not have it.
func (p *parser) readAccount(g *Generation) {
	if g.From = Unknown; len(p.b) > 0 {
		g.From = line.Position(p.int())
		g.Skips = p.skips()
		g.Doubles = p.int()
	}
	if len(p.b) > 0 {
		g.TopicID, g.Earlier = p.topicID(), p.pos()
	}
}

// beginsFor notes for which topic bytes from a position on are begun: what is before
// them was for another, when one of the same name was made anew.
func (g *Generation) beginsFor(id TopicID, from line.Position) {
	if g.TopicID == id || id == (TopicID{}) {
		return
	}
	if g.TopicID != (TopicID{}) {
		g.Earlier = max(g.Earlier, from)
	}
	g.TopicID = id
}

// appendSkips writes what the ranges of entries left out on purpose: the end of a frame,
// which is not there when nothing was left out.
func appendSkips(b []byte, entries ...*Entry) []byte {
	if !slices.ContainsFunc(entries, func(e *Entry) bool {
		return slices.ContainsFunc(e.Ranges, func(r Range) bool { return r.Skips != Skips{} })
	}) {
		return b
	}
	for _, e := range entries {
		for _, r := range e.Ranges {
			b = r.Skips.append(b)
		}
	}
	return b
}

// readSkips reads it.
func (p *parser) readSkips(entries ...*Entry) {
	if len(p.b) == 0 {
		return
	}
	for _, e := range entries {
		for i := range e.Ranges {
			e.Ranges[i].Skips = p.skips()
		}
	}
}
