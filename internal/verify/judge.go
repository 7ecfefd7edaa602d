package verify

import (
	"math"
	"slices"

	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/line"
)

// judge holds one entry against the records of its generation.
func (t *Topic) judge(e *ledger.Entry, s *seen) File {
	f := File{
		Host: e.Host, Path: e.Path, Generation: e.Generation, Topic: e.Topic, Read: e.Read, Acked: e.Acked, Delivered: s.lines.length(),
		SkippedFor: e.Skipped, Waiting: e.Waiting, Lost: []Range{}, Doubled: []Range{}, Doubtful: e.PossibleDoubles,
	}
	from := e.From
	if from == ledger.Unknown {
		from = s.begins(e.Acked)
		f.Note = "the agent lost its journal once: where it began is not known, and what lies before its first record is not judged"
	}
	explained := slices.Clone(s.skipped)
	explained, _ = explained.add(span{e.Acked - e.Tail, e.Acked})
	f.Skipped = max(0, e.From) + within(s.lines, explained, e.From)
	all := slices.Clone(explained)
	for _, x := range s.lines {
		all, _ = all.add(x)
	}
	expired := t.expiredTo(e, s)
	for _, x := range all.without(span{from, e.Acked}) {
		if gone := (span{x.from, min(x.to, expired)}); gone.length() > 0 {
			f.Expired += gone.length()
			x.from = gone.to
		}
		if x.length() > 0 {
			f.Lost = append(f.Lost, split(x, e.Gaps)...)
		}
	}
	for _, g := range e.Gaps { // behind what was ever acknowledged: a truncation took it
		if g.To > e.Acked {
			f.Lost = append(f.Lost, Range{From: max(g.From, e.Acked), To: g.To, Known: true, AtLeast: g.AtLeast})
		}
	}
	for _, x := range s.doubled {
		f.Doubled = append(f.Doubled, Range{From: x.from, To: x.to})
	}
	return f
}

// begins is the first byte that a record tells of, or end when none does.
func (s *seen) begins(end int64) int64 {
	if len(s.lines) > 0 {
		end = min(end, s.lines[0].from)
	}
	if len(s.skipped) > 0 {
		end = min(end, s.skipped[0].from)
	}
	return end
}

// within is how many of the bytes of what were left out and are in no record, from the
// byte where reading began on.
func within(lines, what spans, from int64) (n int64) {
	for _, x := range what {
		if x.from = max(x.from, from); x.length() > 0 {
			n += lines.without(x).length()
		}
	}
	return n
}

// expiredTo is up to where the bytes of a generation may have gone with the oldest
// records of its partitions: everything before the first of its records there.
func (t *Topic) expiredTo(e *ledger.Entry, s *seen) (to int64) {
	for p := range t.cut {
		first, there := s.first[p]
		switch {
		case there:
			to = max(to, first)
		case e.Partition == p || e.Partition == ledger.AnyPartition:
			return math.MaxInt64
		}
	}
	return to
}

// split tells apart which parts of a gap the agent knows of.
func split(x span, gaps []ledger.Gap) (out []Range) {
	var known spans
	for _, g := range gaps {
		known, _ = known.add(span{g.From, g.To})
	}
	for _, y := range known.without(x) {
		out = append(out, Range{From: y.from, To: y.to})
	}
	for _, k := range known {
		if both := (span{max(k.from, x.from), min(k.to, x.to)}); both.length() > 0 {
			out = append(out, Range{From: both.from, To: both.to, Known: true})
		}
	}
	slices.SortFunc(out, func(a, b Range) int { return int(max(-1, min(1, a.From-b.From))) })
	return out
}

// alone judges a generation that no entry tells of by its records only: between the
// first and the last of them nothing may be missing.
func (t *Topic) alone(host, path string, g line.Generation, s *seen) File {
	end := int64(0)
	for _, all := range []spans{s.lines, s.skipped} {
		if len(all) > 0 {
			end = max(end, all[len(all)-1].to)
		}
	}
	e := ledger.Entry{Host: host, Path: path, Generation: g.String(), Topic: t.name, Partition: ledger.AnyPartition, From: s.begins(end), Read: end, Acked: end}
	if len(s.first) == 1 {
		for e.Partition = range s.first {
		}
	}
	f := t.judge(&e, s)
	f.Skipped -= max(0, e.From)
	f.Note = "no account of it: only what lies between its first record and its last is judged"
	return f
}
