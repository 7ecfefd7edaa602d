package journal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// version is the format of the journal; see the door plate.
const version = 2

// meta is what the journal says about itself and its cluster.
type meta struct {
	instance string // made once, with the journal
	boot     string // of the process that wrote last; "" where the system has none
	cluster  string // "" until the first broker answered
	producer int64  // the producer id, -1: none yet
	place    string // the host and the folder it was written on; "": an older version did not say
	born     int64  // when it was begun, Unix ms; 0: an older version did not say
}

type genKey struct {
	topic string
	id    ID
}

type nameKey struct {
	topic string
	name  line.Generation
}

// state is everything that the frames add up to. Applying a frame to it when it is
// written and when it is read back is the same code.
type state struct {
	meta   meta
	gens   map[Ref]*Generation
	byKey  map[genKey]Ref
	byName map[nameKey]Ref
	byPath map[string]Ref    // the latest taken up of a first path; the others hang on it by older
	topics map[string]string // each topic's name, once
	parts  map[Partition]*PartitionState
	open   map[Seq]*Entry
	in     map[InputRef]*Input
	doubt  doubt
	old    bool // the header is of an older version
	// otherID says that a partition goes by another producer id since the last fsync.
	otherID bool
	refs    Ref // the highest ever given
	seqs    Seq
	ins     InputRef

	forgotten []Generation // the last ones; topic, name and path
}

func newState() state {
	return state{
		meta: meta{producer: -1}, gens: map[Ref]*Generation{}, byKey: map[genKey]Ref{}, byName: map[nameKey]Ref{}, byPath: map[string]Ref{},
		parts: map[Partition]*PartitionState{}, open: map[Seq]*Entry{}, in: map[InputRef]*Input{}, doubt: newDoubt(),
	}
}

// apply takes over one frame read back from disk.
func (s *state) apply(k kind, payload []byte) error {
	p := &parser{b: payload}
	switch k {
	case kindHeader:
		v := p.uint()
		if v > version && !p.bad {
			return fmt.Errorf("it is of version %d and this program knows version %d: use the newer program", v, version)
		}
		s.old = v < version
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
		e := p.entry()
		if p.readSkips(e); !p.bad {
			s.begin(e)
		}
	case kindDone:
		seq, offset := Seq(p.uint()), record.Offset(p.int())
		s.done(seq, offset)
	case kindSkip:
		s.readSkip(p)
	case kindReplace:
		s.readReplace(p)
	case kindLost:
		seq, n := Seq(p.uint()), p.int()
		s.lost(seq, n)
	case kindForget:
		s.forget(Ref(p.uint()))
	case kindGap:
		ref := Ref(p.uint())
		s.gap(ref, p.gap())
	case kindDouble:
		ref := Ref(p.uint())
		s.doubled(ref, p.int())
	case kindDoubt:
		s.readDoubt(p)
	case kindTrust:
		topic, now := p.string(), p.bool()
		s.doubt.trust(topic, now)
	case kindFound:
		s.readFound(p)
	case kindEnd:
		s.refs, s.seqs, s.ins = max(s.refs, Ref(p.uint())), max(s.seqs, Seq(p.uint())), max(s.ins, InputRef(p.uint()))
	default:
		return fmt.Errorf("frame kind %d is unknown", k)
	}
	return p.end()
}

func (m meta) append(b []byte) []byte {
	b = putString(putString(putString(b, m.instance), m.boot), m.cluster)
	return putInt(putString(putInt(b, m.producer), m.place), m.born)
}

func (p *parser) meta() meta {
	m := meta{instance: p.string(), boot: p.string(), cluster: p.string(), producer: p.int()}
	if len(p.b) > 0 { // since version 2
		m.place, m.born = p.string(), p.int()
	}
	return m
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
	g.account.changed = true
	s.thread(g)
	s.gens[g.Ref] = g
	s.byKey[genKey{g.Topic, g.ID}] = g.Ref
	s.byName[nameKey{g.Topic, g.Name}] = g.Ref
	s.refs = max(s.refs, g.Ref)
}

func (s *state) readPartition(p *parser) {
	at := Partition{p.string(), int32(p.int())}
	st := &PartitionState{TopicID: p.topicID(), Producer: p.producer(), Offset: record.Offset(p.int())}
	st.Begun, st.Floor = p.time(), st.Offset
	if len(p.b) > 0 { // since version 2
		st.Floor = record.Offset(p.int())
	} else if s.anyOpen(at) {
		st.Floor = -1 // one of them may lie below
	}
	if !p.bad {
		s.parts[at] = st
	}
}

func (s *state) readSkip(p *parser) {
	ref, from, to, left := Ref(p.uint()), p.pos(), p.pos(), Skips{}
	if len(p.b) > 0 { // else an older version wrote it
		left = p.skips()
	}
	s.skip(ref, span{from, to}, left)
}

func (s *state) readFound(p *parser) {
	ref, from, to := Ref(p.uint()), p.pos(), p.pos()
	tail, length := p.uint(), int(p.uint())
	s.found(ref, span{from, to}, tail, length)
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
	if p.readSkips(fresh...); !p.bad {
		s.replace(old, fresh)
	}
}

// begin takes over a batch that is about to be sent.
func (s *state) begin(e *Entry) {
	s.open[e.Seq], s.seqs = e, max(s.seqs, e.Seq)
	st := s.parts[e.Partition]
	if st == nil {
		st = &PartitionState{Offset: -1, Floor: -1, Producer: e.Producer}
		s.parts[e.Partition] = st
	}
	if st.TopicID != e.TopicID || st.Producer.ID != e.Producer.ID || st.Producer.Epoch != e.Producer.Epoch {
		st.Offset = -1 // another topic of the same name counts anew, and a new epoch has no past to be taken for
	}
	if st.TopicID != e.TopicID {
		st.Floor = -1
	}
	s.otherID = s.otherID || st.Producer.ID >= 0 && st.Producer.ID != e.Producer.ID
	st.TopicID, st.Producer, st.Begun = e.TopicID, e.Producer, e.Begun
	st.Producer.Sequence = record.AddSequence(e.Producer.Sequence, e.Count)
	for _, r := range e.Ranges {
		g := s.gens[r.Ref]
		if g == nil {
			continue
		}
		if g.beginsFor(e.TopicID, r.Start-pos(r.Carry)); r.End > g.Begun {
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
		if !s.olderOpen(e) {
			st.Floor = max(st.Floor, offset)
		}
	}
	for _, r := range e.Ranges {
		if g := s.gens[r.Ref]; g != nil {
			g.acknowledge(span{r.Start - pos(r.Carry), r.End})
			g.count(r.Skips)
		}
	}
}

// olderOpen says whether a batch begun before e in its partition is not acknowledged: it
// may lie below e.
func (s *state) olderOpen(e *Entry) bool {
	for _, o := range s.open {
		if o.Seq < e.Seq && o.Partition == e.Partition {
			return true
		}
	}
	return false
}

// anyOpen says whether a batch in a partition is not acknowledged.
func (s *state) anyOpen(at Partition) bool {
	for _, e := range s.open {
		if e.Partition == at {
			return true
		}
	}
	return false
}

// acknowledge unites the acknowledged bytes and moves the low watermark.
func (g *Generation) acknowledge(x span) {
	g.ahead = g.ahead.add(x.from, x.to)
	g.Position, g.ahead = g.ahead.settle(g.Position)
	if g.Position > g.Begun { // by what was found stored behind it: what stands before that is not known here
		g.Begun, g.Carry, g.Tail, g.TailLength = g.Position, 0, 0, 0
	}
	g.account.changed = true
}

// skip takes over bytes at the end of what was begun that no record will carry.
func (s *state) skip(ref Ref, x span, left Skips) {
	g := s.gens[ref]
	if g == nil || x.to <= g.Begun {
		return
	}
	g.Carry += int64(x.to - max(x.from, g.Begun))
	g.Begun, g.Tail, g.TailLength = x.to, 0, 0
	g.acknowledge(x)
	g.count(left)
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
			s.gap(ref, Gap{From: x.from, To: x.to})
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

// lost gives a batch up of which n bytes will never be stored. When that is not all
// of it, nobody knows whose they are, and they are put down to the first.
func (s *state) lost(seq Seq, n int64) {
	e := s.open[seq]
	if e == nil || len(e.Ranges) == 0 {
		return
	}
	if e.Bytes() != n {
		if g := s.gens[e.Ranges[0].Ref]; g != nil {
			g.Lost += n
			g.account.changed = true
		}
		s.done(seq, -1)
		return
	}
	for _, r := range e.Ranges {
		s.gap(r.Ref, Gap{From: r.Start, To: r.End})
	}
	s.done(seq, -1)
}

func (s *state) forget(ref Ref) {
	if g := s.gens[ref]; g != nil {
		if len(s.forgotten) == forgottenMost {
			s.forgotten = s.forgotten[1:]
		}
		s.forgotten = append(s.forgotten, Generation{Topic: g.Topic, Name: g.Name, Path: g.Path})
		delete(s.byKey, genKey{g.Topic, g.ID})
		delete(s.byName, nameKey{g.Topic, g.Name})
		s.unthread(g)
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
		b = appendFrame(b, kindBegin, s.open[seq].appendWhole)
	}
	byName := func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	}
	for _, at := range slices.SortedFunc(maps.Keys(s.parts), byName) {
		b = appendFrame(b, kindPartition, func(b []byte) []byte { return s.parts[at].append(b, at) })
	}
	b = s.doubt.snapshot(b)
	return appendFrame(b, kindEnd, func(b []byte) []byte {
		return putUint(putUint(putUint(b, uint64(s.refs)), uint64(s.seqs)), uint64(s.ins))
	})
}

func (st *PartitionState) append(b []byte, at Partition) []byte {
	b = putInt(putString(b, at.Topic), int64(at.Number))
	b = append(b, st.TopicID[:]...)
	b = putInt(putInt(putInt(b, st.Producer.ID), int64(st.Producer.Epoch)), int64(st.Producer.Sequence))
	return putInt(putInt(putInt(b, int64(st.Offset)), st.Begun.UnixMilli()), int64(st.Floor))
}

func appendInput(b []byte, in *Input) []byte {
	return appendFrame(b, kindInput, func(b []byte) []byte {
		b = putString(putUint(b, uint64(in.Ref)), in.Name)
		return putString(putInt(b, in.Revision), in.Data)
	})
}
