package journal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/internal/record"
)

// version is the format of the journal; see the door plate.
const version = 1

// meta is what the journal says about itself and its cluster.
type meta struct {
	instance string // made once, with the journal
	boot     string // of the process that wrote last; "" where the system has none
	cluster  string // "" until the first broker answered
	producer int64  // the producer id, -1: none yet
}

type genKey struct {
	topic string
	id    ID
}

// state is everything that the frames add up to. Applying a frame to it when it is
// written and when it is read back is the same code.
type state struct {
	meta  meta
	gens  map[Ref]*Generation
	byKey map[genKey]Ref
	parts map[Partition]*PartitionState
	open  map[Seq]*Entry
	in    map[InputRef]*Input
	refs  Ref // the highest ever given
	seqs  Seq
	ins   InputRef
}

func newState() state {
	return state{
		meta: meta{producer: -1}, gens: map[Ref]*Generation{}, byKey: map[genKey]Ref{},
		parts: map[Partition]*PartitionState{}, open: map[Seq]*Entry{}, in: map[InputRef]*Input{},
	}
}

// apply takes over one frame read back from disk.
func (s *state) apply(k kind, payload []byte) error {
	p := &parser{b: payload}
	switch k {
	case kindHeader:
		if v := p.uint(); v != version && !p.bad {
			return fmt.Errorf("it is of version %d and this program knows version %d: use the newer program", v, version)
		}
		s.setMeta(p.meta())
	case kindMeta:
		s.setMeta(p.meta())
	case kindGeneration:
		if g := p.generation(); !p.bad {
			s.putGeneration(g)
		}
	case kindInput:
		if in := (&Input{Ref: InputRef(p.uint()), Name: p.string(), Revision: p.int(), Data: slices.Clone(p.bytes())}); !p.bad {
			s.in[in.Ref], s.ins = in, max(s.ins, in.Ref)
		}
	case kindPartition:
		s.readPartition(p)
	case kindBegin:
		if e := p.entry(); !p.bad {
			s.begin(e)
		}
	case kindDone:
		seq, offset := Seq(p.uint()), record.Offset(p.int())
		s.done(seq, offset)
	case kindSkip:
		ref, from, to := Ref(p.uint()), p.pos(), p.pos()
		s.skip(ref, span{from, to})
	case kindReplace:
		s.readReplace(p)
	case kindLost:
		seq, n := Seq(p.uint()), p.int()
		s.lost(seq, n)
	case kindForget:
		s.forget(Ref(p.uint()))
	case kindEnd:
		s.refs, s.seqs, s.ins = max(s.refs, Ref(p.uint())), max(s.seqs, Seq(p.uint())), max(s.ins, InputRef(p.uint()))
	default:
		return fmt.Errorf("frame kind %d is unknown", k)
	}
	return p.end()
}

func (m meta) append(b []byte) []byte {
	b = putString(putString(putString(b, m.instance), m.boot), m.cluster)
	return putInt(b, m.producer)
}

func (p *parser) meta() meta {
	return meta{instance: p.string(), boot: p.string(), cluster: p.string(), producer: p.int()}
}

// setMeta takes over what the journal says about itself. Producer ids and sequences
// mean nothing in another cluster, so what is known of partitions goes with the old.
func (s *state) setMeta(m meta) {
	if s.meta.cluster != "" && s.meta.cluster != m.cluster {
		clear(s.parts)
	}
	s.meta = m
}

func (s *state) putGeneration(g *Generation) {
	s.gens[g.Ref] = g
	s.byKey[genKey{g.Topic, g.ID}] = g.Ref
	s.refs = max(s.refs, g.Ref)
}

func (s *state) readPartition(p *parser) {
	at := Partition{p.string(), int32(p.int())}
	st := &PartitionState{TopicID: p.topicID(), Producer: p.producer(), Offset: record.Offset(p.int())}
	st.Begun = p.time()
	if !p.bad {
		s.parts[at] = st
	}
}

func (s *state) readReplace(p *parser) {
	var old []Seq
	for n := p.count(); n > 0; n-- {
		old = append(old, Seq(p.uint()))
	}
	var fresh []*Entry
	for n := p.count(); n > 0; n-- {
		fresh = append(fresh, p.entry())
	}
	if !p.bad {
		s.replace(old, fresh)
	}
}

// begin takes over a batch that is about to be sent.
func (s *state) begin(e *Entry) {
	s.open[e.Seq], s.seqs = e, max(s.seqs, e.Seq)
	st := s.parts[e.Partition]
	if st == nil {
		st = &PartitionState{Offset: -1}
		s.parts[e.Partition] = st
	}
	if st.TopicID != e.TopicID || st.Producer.ID != e.Producer.ID || st.Producer.Epoch != e.Producer.Epoch {
		st.Offset = -1 // another topic of the same name counts anew, and a new epoch has no past to be taken for
	}
	st.TopicID, st.Producer, st.Begun = e.TopicID, e.Producer, e.Begun
	st.Producer.Sequence = record.AddSequence(e.Producer.Sequence, e.Count)
	for _, r := range e.Ranges {
		if g := s.gens[r.Ref]; g != nil && r.End > g.Begun {
			g.Begun, g.Carry = r.End, 0
			g.Tail, g.TailLength = r.Tail, r.TailLength
		}
	}
}

// done takes over an acknowledgement; offset -1 is not known.
func (s *state) done(seq Seq, offset record.Offset) {
	e := s.open[seq]
	if e == nil {
		return
	}
	delete(s.open, seq)
	if st := s.parts[e.Partition]; st != nil && st.TopicID == e.TopicID {
		st.Offset = max(st.Offset, offset)
	}
	for _, r := range e.Ranges {
		if g := s.gens[r.Ref]; g != nil {
			g.acknowledge(span{r.Start - pos(r.Carry), r.End})
		}
	}
}

// acknowledge unites the acknowledged bytes and moves the low watermark.
func (g *Generation) acknowledge(x span) {
	g.ahead = g.ahead.add(x.from, x.to)
	g.Position, g.ahead = g.ahead.settle(g.Position)
	g.Begun = max(g.Begun, g.Position)
}

// skip takes over bytes at the end of what was begun that no record will carry.
func (s *state) skip(ref Ref, x span) {
	g := s.gens[ref]
	if g == nil || x.to <= g.Begun {
		return
	}
	g.Carry += int64(x.to - max(x.from, g.Begun))
	g.Begun, g.Tail, g.TailLength = x.to, 0, 0
	g.acknowledge(x)
}

// replace begins batches anew in another shape, once their old shape is known not
// to be stored. What the new shape leaves out is nowhere any more: it is lost, and
// nothing waits for it.
func (s *state) replace(old []Seq, fresh []*Entry) {
	had, has := map[Ref]spans{}, map[Ref]spans{}
	for _, seq := range old {
		if e := s.open[seq]; e != nil {
			e.cover(had)
			delete(s.open, seq)
		}
	}
	for _, e := range fresh {
		s.begin(e)
		e.cover(has)
	}
	for ref, all := range had {
		g := s.gens[ref]
		if g == nil {
			continue
		}
		for _, x := range all.without(has[ref]) {
			g.Lost += int64(x.to - x.from)
			g.acknowledge(x)
		}
	}
}

// cover adds the bytes of e to those of each generation.
func (e *Entry) cover(all map[Ref]spans) {
	for _, r := range e.Ranges {
		all[r.Ref] = all[r.Ref].add(r.Start-pos(r.Carry), r.End)
	}
}

// lost gives a batch up of which n bytes are nowhere to be found.
func (s *state) lost(seq Seq, n int64) {
	e := s.open[seq]
	if e == nil || len(e.Ranges) == 0 {
		return
	}
	if g := s.gens[e.Ranges[0].Ref]; g != nil {
		g.Lost += n
	}
	s.done(seq, -1)
}

func (s *state) forget(ref Ref) {
	if g := s.gens[ref]; g != nil {
		delete(s.byKey, genKey{g.Topic, g.ID})
		delete(s.gens, ref)
	}
}

// snapshot writes the frames that make an empty state equal to s.
func (s *state) snapshot(b []byte) []byte {
	b = appendFrame(b, kindHeader, func(b []byte) []byte { return s.meta.append(putUint(b, version)) })
	for _, ref := range slices.Sorted(maps.Keys(s.in)) {
		b = appendInput(b, s.in[ref])
	}
	for _, ref := range slices.Sorted(maps.Keys(s.gens)) {
		b = appendFrame(b, kindGeneration, s.gens[ref].append)
	}
	// Batches before partitions: a batch moves its partition's state, and the
	// partition's own frame has the last word.
	for _, seq := range slices.Sorted(maps.Keys(s.open)) {
		b = appendFrame(b, kindBegin, s.open[seq].append)
	}
	byName := func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	}
	for _, at := range slices.SortedFunc(maps.Keys(s.parts), byName) {
		b = appendFrame(b, kindPartition, func(b []byte) []byte { return s.parts[at].append(b, at) })
	}
	return appendFrame(b, kindEnd, func(b []byte) []byte {
		return putUint(putUint(putUint(b, uint64(s.refs)), uint64(s.seqs)), uint64(s.ins))
	})
}

func (st *PartitionState) append(b []byte, at Partition) []byte {
	b = putInt(putString(b, at.Topic), int64(at.Number))
	b = append(b, st.TopicID[:]...)
	b = putInt(putInt(putInt(b, st.Producer.ID), int64(st.Producer.Epoch)), int64(st.Producer.Sequence))
	return putInt(putInt(b, int64(st.Offset)), st.Begun.UnixMilli())
}

func appendInput(b []byte, in *Input) []byte {
	return appendFrame(b, kindInput, func(b []byte) []byte {
		b = putString(putUint(b, uint64(in.Ref)), in.Name)
		return putString(putInt(b, in.Revision), in.Data)
	})
}
