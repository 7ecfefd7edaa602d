package journal

import (
	"slices"

	"github.com/loghaul/loghaul/internal/line"
)

// span is the bytes [from, to) of a generation.
type span struct{ from, to line.Position }

// spans are disjoint, not touching, in order.
type spans []span

// add unites s with [from, to).
func (s spans) add(from, to line.Position) spans {
	if from >= to {
		return s
	}
	// lo is the first span that touches the new one, hi the first beyond it.
	lo, _ := slices.BinarySearchFunc(s, from, func(x span, p line.Position) int { return cmpPos(x.to, p) })
	hi := lo
	for hi < len(s) && s[hi].from <= to {
		from, to = min(from, s[hi].from), max(to, s[hi].to)
		hi++
	}
	return slices.Replace(s, lo, hi, span{from, to})
}

// settle moves at over every span that begins at or before it, and drops those.
func (s spans) settle(at line.Position) (line.Position, spans) {
	n := 0
	for n < len(s) && s[n].from <= at {
		at = max(at, s[n].to)
		n++
	}
	return at, slices.Delete(s, 0, n)
}

// without is what of s lies in none of others.
func (s spans) without(others spans) (out spans) {
	for _, x := range s {
		for _, o := range others {
			if o.to <= x.from || o.from >= x.to {
				continue
			}
			out = out.add(x.from, o.from)
			x.from = min(o.to, x.to)
		}
		out = out.add(x.from, x.to)
	}
	return out
}

func cmpPos(a, b line.Position) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
