package journal

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

var errPayload = errors.New("payload is malformed")

func putInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

func putUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func putString[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(putUint(b, uint64(len(s))), s...)
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// parser walks a payload; after the first bad field all are zero and bad is set.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) fail() { p.bad, p.b = true, nil }

func (p *parser) int() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) uint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.b = p.b[n:]
	return v
}

// bytes aliases the payload.
func (p *parser) bytes() []byte {
	n := p.uint()
	if n > uint64(len(p.b)) {
		p.fail()
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

func (p *parser) string() string { return string(p.bytes()) }

func (p *parser) bool() bool { return p.uint() == 1 }

func (p *parser) pos() line.Position {
	v := p.int()
	if v < 0 {
		p.fail()
	}
	return line.Position(v)
}

func (p *parser) time() time.Time { return time.UnixMilli(p.int()) }

func pos(n int64) line.Position { return line.Position(n) }

// count is a list's length, of which each item takes at least one byte.
func (p *parser) count() int {
	n := p.uint()
	if n > uint64(len(p.b)) {
		p.fail()
		return 0
	}
	return int(n)
}

// end says whether the payload was well formed and is used up.
func (p *parser) end() error {
	if p.bad || len(p.b) != 0 {
		return errPayload
	}
	return nil
}

func (g *Generation) append(b []byte) []byte {
	b = putUint(b, uint64(g.Ref))
	b = putString(b, g.Topic)
	b = putUint(putUint(b, g.ID.FS), g.ID.Inode)
	b = putUint(putInt(b, g.ID.Birth), uint64(g.ID.Cut))
	b = putUint(b, uint64(g.Name))
	b = putString(b, g.Path)
	b = putUint(putUint(putInt(b, g.Began), g.Head), uint64(g.HeadLength))
	b = putUint(putUint(b, g.Tail), uint64(g.TailLength))
	b = putBool(b, g.Ended)
	b = putInt(b, int64(g.Partition))
	b = putInt(putInt(b, int64(g.Position)), int64(g.Begun))
	b = putInt(putInt(b, g.Carry), g.Lost)
	b = putInt(b, int64(g.Seen))
	b = putUint(b, uint64(len(g.ahead)))
	for _, s := range g.ahead {
		b = putInt(putInt(b, int64(s.from)), int64(s.to))
	}
	return g.appendAccount(appendGaps(b, g.Gaps))
}

func (p *parser) generation() *Generation {
	g := &Generation{Ref: Ref(p.uint()), Topic: p.string()}
	g.ID = ID{FS: p.uint(), Inode: p.uint(), Birth: p.int(), Cut: uint32(p.uint())}
	g.Name = line.Generation(p.uint())
	g.Path = p.string()
	g.Began, g.Head, g.HeadLength = p.int(), p.uint(), int(p.uint())
	g.Tail, g.TailLength = p.uint(), int(p.uint())
	g.Ended = p.bool()
	g.Partition = int32(p.int())
	g.Position, g.Begun = p.pos(), p.pos()
	g.Carry, g.Lost = p.int(), p.int()
	g.Seen = int32(p.int())
	for n := p.count(); n > 0; n-- {
		g.ahead = g.ahead.add(p.pos(), p.pos())
	}
	g.Gaps = p.gaps()
	p.readAccount(g)
	return g
}

func (e *Entry) append(b []byte) []byte {
	b = putUint(b, uint64(e.Seq))
	b = putInt(putString(b, e.Partition.Topic), int64(e.Partition.Number))
	b = append(b, e.TopicID[:]...)
	b = putInt(putInt(putInt(b, e.Producer.ID), int64(e.Producer.Epoch)), int64(e.Producer.Sequence))
	b = putUint(putInt(b, int64(e.Count)), uint64(e.CRC))
	b = putInt(putUint(b, uint64(e.Input)), e.Begun.UnixMilli())
	b = putUint(b, uint64(len(e.Ranges)))
	for _, r := range e.Ranges {
		b = putUint(b, uint64(r.Ref))
		b = putInt(putInt(b, int64(r.Start)), int64(r.End-r.Start))
		b = putInt(putInt(b, int64(r.HardEnd-r.End)), r.Carry)
		b = putBool(putInt(b, int64(r.Part)), r.PartLast)
		b = putInt(b, int64(r.Count))
		b = putUint(putUint(b, r.Tail), uint64(r.TailLength))
	}
	return b
}

// appendWhole writes an entry that is all of its frame.
func (e *Entry) appendWhole(b []byte) []byte { return appendSkips(e.append(b), e) }

func (p *parser) topicID() (id TopicID) {
	if len(p.b) < len(id) {
		p.fail()
		return id
	}
	copy(id[:], p.b)
	p.b = p.b[len(id):]
	return id
}

func (p *parser) producer() record.Producer {
	return record.Producer{ID: p.int(), Epoch: int16(p.int()), Sequence: int32(p.int())}
}

func (p *parser) entry() *Entry {
	e := &Entry{Seq: Seq(p.uint()), Partition: Partition{p.string(), int32(p.int())}}
	e.TopicID = p.topicID()
	e.Producer = p.producer()
	e.Count, e.CRC = int32(p.int()), uint32(p.uint())
	e.Input = InputRef(p.uint())
	e.Begun = p.time()
	for n := p.count(); n > 0; n-- {
		r := Range{Ref: Ref(p.uint()), Start: p.pos()}
		r.End = r.Start + p.pos()
		r.HardEnd = r.End + p.pos()
		r.Carry = p.int()
		r.Part, r.PartLast = int32(p.int()), p.bool()
		r.Count = int32(p.int())
		r.Tail, r.TailLength = p.uint(), int(p.uint())
		e.Ranges = append(e.Ranges, r)
	}
	return e
}
