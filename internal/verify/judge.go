package verify

import (
	"cmp"
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
		f.note("the agent lost its journal once: where it began is not known, and what lies before its first record is not judged")
	}
	if n := len(s.lines); n > 0 && s.lines[n-1].to > e.Read {
		f.note("the account is behind the topic: agents send it every few seconds")
	}
	explained := slices.Clone(s.skipped)
	explained, _ = explained.add(span{e.Acked - e.Tail, e.Acked})
	f.Skipped = max(0, e.From) + within(s.lines, explained, e.From)
	all := slices.Clone(explained)
	for _, x := range s.lines {
		all, _ = all.add(x)
	}
	t.miss(&f, e, all, span{from, e.Acked}, t.expiredTo(e, s))
	for _, x := range s.doubled {
		f.Doubled = append(f.Doubled, Range{From: x.from, To: x.to})
	}
	return f
}

// miss tells what of the judged bytes is not in all: before the position expired it has
// expired, unless the agent itself says that it is lost.
func (t *Topic) miss(f *File, e *ledger.Entry, all spans, judged span, expired int64) {
	gaps := gapsOf(e)
	for _, x := range all.without(judged) {
		for _, gone := range gaps.without(span{x.from, min(x.to, expired)}) {
			f.Expired += gone.length()
			all, _ = all.add(gone)
		}
	}
	if f.Expired > 0 && (e.Earlier > 0 || t.another(e)) {
		f.note("the topic was made anew: what went to the one before it has expired with that")
	}
	for _, x := range all.without(judged) {
		f.Lost = append(f.Lost, split(x, gaps)...)
	}
	if e.From == ledger.Unknown {
		f.Unjudged = judged.from
		for _, g := range gaps { // what the agent says itself needs no judgement
			for _, x := range all.without(span{g.from, min(g.to, judged.from)}) {
				f.Lost, f.Unjudged = append(f.Lost, split(x, gaps)...), f.Unjudged-x.length()
			}
		}
	}
	for _, g := range e.Gaps { // behind what was ever acknowledged: a truncation took it
		if g.To > e.Acked {
			f.Lost = append(f.Lost, Range{From: max(g.From, e.Acked), To: g.To, Known: true, AtLeast: g.AtLeast})
		}
	}
	slices.SortStableFunc(f.Lost, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
}

// another says whether the last of a generation went to another topic of this name.
func (t *Topic) another(e *ledger.Entry) bool {
	return t.id != "" && e.TopicID != "" && e.TopicID != t.id
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
// records of its partitions: everything before the first of its records there. What went
// to an earlier topic of the same name is gone with that.
func (t *Topic) expiredTo(e *ledger.Entry, s *seen) (to int64) {
	if t.another(e) {
		return math.MaxInt64
	}
	to = e.Earlier
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

// gapsOf are the bytes of which the agent itself says that they are nowhere.
func gapsOf(e *ledger.Entry) (known spans) {
	for _, g := range e.Gaps {
		known, _ = known.add(span{g.From, g.To})
	}
	return known
}

// split tells apart which parts of a gap the agent knows of.
func split(x span, known spans) (out []Range) {
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
	f.Unjudged = max(0, e.From)
	f.note("no account of it: only what lies between its first record and its last is judged")
	return f
}
