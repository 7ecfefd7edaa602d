package batch

import (
	"bytes"
	"strconv"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Batch is the lines of one partition that are to travel together. It keeps its
// buffers from batch to batch and is for one goroutine.
type Batch struct {
	Framer *Framer // of all its lines; set by the first Add after a Reset

	builder *record.Builder
	ranges  []journal.Range
	first   time.Time // of the first Add
	bytes   int64     // of source lines
	most    int       // of records in bytes, 0 for as much as the Framer says
}

// New makes a Batch whose buffer starts with capacity bytes.
func New(capacity int) *Batch { return &Batch{builder: record.NewBuilder(capacity)} }

// Empty says whether there is no record in it.
func (b *Batch) Empty() bool { return b.builder.Count() == 0 }

// Len is the size of the records so far in bytes, before compression.
func (b *Batch) Len() int { return b.builder.Len() }

// Count is the number of records.
func (b *Batch) Count() int { return b.builder.Count() }

// Bytes is the length of the source lines in it, endings included.
func (b *Batch) Bytes() int64 { return b.bytes }

// Due is when the oldest line has waited long enough.
func (b *Batch) Due() time.Time { return b.first.Add(b.Framer.Age) }

// AtMost makes the batch full with n bytes of records, before compression, where its Framer
// allows more: what many batches hold together is bounded by who knows how many there are.
func (b *Batch) AtMost(n int) { b.most = n }

// full says whether n bytes more than there are would be too many.
func (b *Batch) full(s *Source, n int) bool {
	most := s.framer.Bytes
	if b.most > 0 {
		most = min(most, b.most)
	}
	return b.builder.Len()+n > most
}

// Reset forgets the lines and keeps the buffers.
func (b *Batch) Reset() {
	b.builder.Reset()
	b.ranges, b.Framer, b.bytes = b.ranges[:0], nil, 0
}

// Add takes lines of a chunk, whose bytes are copied, and answers how many of its
// bytes it took. Less than all means that the batch is full: the caller sends it,
// cuts the chunk with Rest and adds what is left to the next. All lines of one batch
// come through the same Framer.
func (b *Batch) Add(s *Source, c follow.Chunk) int {
	if b.builder.Count() == 0 {
		b.Framer, b.first = s.framer, time.Now()
	}
	if c.Skipped > 0 {
		s.Carry += c.Skipped
		s.Left.Overlong += c.Skipped
		s.gap = true // what was skipped there is not found again from the bytes alone
	}
	s.End = c.Start
	if c.Part > 0 {
		return b.addPart(s, c)
	}
	n := 0
	for n < len(c.Data) {
		size := bytes.IndexByte(c.Data[n:], '\n') + 1
		if size == 0 {
			size = len(c.Data) - n // the last line of a generation, without an ending
		}
		if !b.addLine(s, c.Data[n:n+size]) {
			break
		}
		n += size
	}
	b.mark(s, c.Data[:n])
	return n
}

// Rest is what is left of a chunk of which Add took n bytes.
func Rest(c follow.Chunk, n int) follow.Chunk {
	c.Start += line.Position(n)
	c.Data, c.Skipped = c.Data[n:], 0
	return c
}

// mark notes what stands just before the end of the source's last range; taken ends
// at s.End, of which what was skipped is not in the range.
func (b *Batch) mark(s *Source, taken []byte) {
	if len(b.ranges) == 0 || len(taken) == 0 {
		return
	}
	if r := &b.ranges[len(b.ranges)-1]; r.Ref == s.Ref && r.End == s.Sent && int64(s.End-s.Sent) < int64(len(taken)) {
		r.Tail, r.TailLength = follow.Tail(taken[:len(taken)-int(s.End-s.Sent)])
	}
}

// addLine takes one line with its ending; false: the batch is full.
func (b *Batch) addLine(s *Source, whole []byte) bool {
	value := trimEnding(whole)
	if !s.framer.plain {
		if !s.framer.keeps(value) {
			s.End += line.Position(len(whole))
			s.Carry += int64(len(whole))
			s.Left.Filtered += int64(len(whole))
			return true
		}
		value = s.framer.redacted(value)
	}
	return b.add(s, value, int64(len(whole)), s.pos(int64(len(whole))), 1, 0, false)
}

// addPart takes one piece of an over-long line, which is a range of its own.
func (b *Batch) addPart(s *Source, c follow.Chunk) int {
	value := c.Data
	if c.PartLast {
		value = trimEnding(value)
	}
	if !s.framer.plain {
		value = s.framer.redacted(value)
	}
	part := strconv.AppendInt(nil, int64(c.Part), 10)
	if c.PartLast {
		part = append(part, "/last"...)
	}
	headers := record.AppendHeader(s.pos(int64(len(c.Data))), line.HeaderPart, part)
	s.gap = true
	if !b.add(s, value, int64(len(c.Data)), headers, 2, int32(c.Part), c.PartLast) {
		return 0
	}
	s.gap = true
	b.mark(s, c.Data)
	return len(c.Data)
}

// add appends one record over length source bytes and notes its range.
func (b *Batch) add(s *Source, value []byte, length int64, headers []byte, own int, part int32, last bool) bool {
	if b.builder.Count() > 0 && b.full(s, len(s.key)+len(value)+len(headers)+recordRoom) {
		return false
	}
	b.builder.Append(0, s.key, value, own+s.framer.nLabels, headers)
	b.bytes += length
	start := s.End
	s.End += line.Position(length)
	if n := len(b.ranges) - 1; !s.gap && n >= 0 && b.ranges[n].Ref == s.Ref && b.ranges[n].End == s.Sent {
		b.ranges[n].End, b.ranges[n].HardEnd = s.End, s.End
		b.ranges[n].Count++
	} else {
		b.ranges = append(b.ranges, journal.Range{Ref: s.Ref, Start: start, End: s.End, HardEnd: s.End, Carry: s.Carry, Part: part, PartLast: last, Count: 1})
	}
	if s.Left != s.Noted {
		last := &b.ranges[len(b.ranges)-1]
		last.Skips = last.Skips.Plus(s.Left.Minus(s.Noted))
		s.Noted = s.Left
	}
	s.Sent, s.Carry, s.gap = s.End, 0, false
	return true
}

// recordRoom is what a record's own lengths may take beside its bytes.
const recordRoom = 24

// pos is the headers of the next record, which spans length bytes from s.End: labels
// and pos. It is valid until the next call.
func (s *Source) pos(length int64) []byte {
	h := append(s.head, s.start.to(int64(s.End))...)
	h = appendLength(append(h, '+'), length)
	if s.Carry > 0 {
		h = strconv.AppendInt(append(h, '-'), s.Carry, 10)
	}
	n := len(h) - s.fixed - 1
	if n >= 64 { // its length takes two bytes
		p := line.Pos{Generation: s.gen, Start: s.End, Length: length, Skipped: s.Carry}
		return record.AppendHeader(append([]byte(nil), s.framer.labels...), line.HeaderPos, p.Append(nil))
	}
	h[s.fixed] = byte(n << 1)
	return h
}

// trimEnding takes "\n" or "\r\n" off the end.
func trimEnding(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}

// Entry is the batch as it is journaled, to be sent to a partition by p.
func (b *Batch) Entry(at journal.Partition, topic journal.TopicID, p record.Producer, input journal.InputRef) *journal.Entry {
	return &journal.Entry{
		Partition: at, TopicID: topic, Producer: p, Count: int32(b.builder.Count()), CRC: b.builder.CRC(), Input: input,
		Ranges: append([]journal.Range(nil), b.ranges...),
	}
}

// Seal appends the whole batch to dst, compressed, with now as the time of its
// records: brokers expire what they know of a producer by it.
func (b *Batch) Seal(dst []byte, p record.Producer, now time.Time) ([]byte, error) {
	ms := now.UnixMilli()
	return b.builder.Seal(dst, p, b.Framer.Codec, ms, ms)
}

// Trade is Seal for a batch that is sent: where nothing is compressed the lines are not
// copied either, but buf is kept for the lines that come after Reset, and the batch is the
// buffer that they were gathered in. Until Reset another Trade, given what the last one
// answered, seals the same batch anew, and Untrade answers a buffer that is free again.
func (b *Batch) Trade(buf []byte, p record.Producer, now time.Time) ([]byte, error) {
	ms := now.UnixMilli()
	return b.builder.Trade(buf, p, b.Framer.Codec, ms, ms)
}

// Untrade ends a Trade whose batch is not sent.
func (b *Batch) Untrade(sealed []byte) []byte { return b.builder.Untrade(sealed) }
