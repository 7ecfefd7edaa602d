package verify

import "slices"

// span is the bytes [from, to).
type span struct{ from, to int64 }

func (s span) length() int64 { return max(0, s.to-s.from) }

// spans are disjoint, not touching, in order.
type spans []span

// add unites s with x and answers which parts of x were in s before, nil: none.
func (s spans) add(x span) (spans, spans) {
	if x.from >= x.to {
		return s, nil
	}
	lo, _ := slices.BinarySearchFunc(s, x.from, func(y span, at int64) int {
		if y.to < at {
			return -1
		}
		return 1
	})
	var had spans
	hi, whole := lo, x
	for ; hi < len(s) && s[hi].from <= x.to; hi++ {
		if both := (span{max(x.from, s[hi].from), min(x.to, s[hi].to)}); both.length() > 0 {
			had = append(had, both)
		}
		whole = span{min(whole.from, s[hi].from), max(whole.to, s[hi].to)}
	}
	if hi == lo+1 && s[lo] == whole {
		return s, had
	}
	if hi == lo+1 {
		s[lo] = whole
		return s, had
	}
	return slices.Replace(s, lo, hi, whole), had
}

// without is what of x lies in none of s.
func (s spans) without(x span) (out spans) {
	lo, _ := slices.BinarySearchFunc(s, x.from, func(y span, at int64) int {
		if y.to <= at {
			return -1
		}
		return 1
	})
	for _, y := range s[lo:] {
		if y.from >= x.to {
			break
		}
		if y.from > x.from {
			out = append(out, span{x.from, y.from})
		}
		x.from = max(x.from, y.to)
	}
	if x.length() > 0 {
		out = append(out, x)
	}
	return out
}

// length is how many bytes s has.
func (s spans) length() (n int64) {
	for _, x := range s {
		n += x.length()
	}
	return n
}
