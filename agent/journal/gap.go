package journal

import (
	"slices"

	"github.com/loghaul/loghaul/internal/line"
)

// Gap is a run of a generation's bytes that were written and can never be read.
type Gap struct {
	From, To line.Position
	AtLeast  bool // there may have been more behind it
}

// gapsMost bounds the gaps of one generation that are told apart; what comes on top is
// in Lost alone.
const gapsMost = 32

// Gap writes down that bytes of a generation are nowhere. It moves no position: nothing
// waits for them. It cannot fail: without room it is remembered and written later.
func (j *Journal) Gap(ref Ref, gap Gap) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if g := j.mu.gens[ref]; g == nil || gap.To <= gap.From || g.hasGap(gap) {
		return
	}
	j.fact(appendFrame(nil, kindGap, func(b []byte) []byte { return gap.append(putUint(b, uint64(ref))) }))
	j.mu.gap(ref, gap)
}

// hasGap says whether all of gap is counted already.
func (g *Generation) hasGap(gap Gap) bool {
	return slices.ContainsFunc(g.Gaps, func(have Gap) bool { return have.From <= gap.From && have.To >= gap.To })
}

// gap takes over bytes that are nowhere. Those that were counted before count once.
func (s *state) gap(ref Ref, gap Gap) {
	g := s.gens[ref]
	if g == nil || gap.To <= gap.From {
		return
	}
	var had, has spans
	for _, h := range g.Gaps {
		had = had.add(h.From, h.To)
	}
	for _, x := range has.add(gap.From, gap.To).without(had) {
		g.Lost += int64(x.to - x.from)
		g.account.changed = true
		if len(g.Gaps) < gapsMost {
			g.Gaps = append(g.Gaps, Gap{From: x.from, To: x.to, AtLeast: gap.AtLeast && x.to == gap.To})
		}
	}
}

func (g Gap) append(b []byte) []byte {
	return putBool(putInt(putInt(b, int64(g.From)), int64(g.To)), g.AtLeast)
}

func (p *parser) gap() Gap { return Gap{From: p.pos(), To: p.pos(), AtLeast: p.bool()} }

func appendGaps(b []byte, gaps []Gap) []byte {
	b = putUint(b, uint64(len(gaps)))
	for _, g := range gaps {
		b = g.append(b)
	}
	return b
}

// gaps reads those of a generation. They are the end of its frame, which journals of
// version 1 do not have.
func (p *parser) gaps() (gaps []Gap) {
	if len(p.b) == 0 {
		return nil
	}
	for n := p.count(); n > 0; n-- {
		gaps = append(gaps, p.gap())
	}
	return gaps
}
