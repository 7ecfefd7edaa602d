package batch

import (
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// ErrDiffers says that the source bytes no longer give the batch that was journaled.
var ErrDiffers = errors.New("the files no longer give the batch that was journaled")

// Origin is where a range's bytes come from.
type Origin struct {
	Generation line.Generation
	Path       string // the first one
	Data       []byte
}

// Fetch finds the bytes of a journaled range; they are used before it is called
// again. An error that wraps follow.ErrGone says that they are nowhere.
type Fetch func(r journal.Range) (Origin, error)

// Rebuild makes a journaled batch again: the same count and the same bytes before
// compression, sealed for e's own place in the sequence; or an error that wraps
// ErrDiffers.
func (f *Framer) Rebuild(e *journal.Entry, fetch Fetch) ([]byte, error) {
	b := New(f.Bytes)
	lost, err := b.refill(f, e, fetch)
	if err != nil {
		return nil, err
	}
	if crc := b.builder.CRC(); lost > 0 || b.Count() != int(e.Count) || crc != e.CRC {
		return nil, fmt.Errorf("%w: %d records with checksum %08x instead of %d with %08x, %d bytes gone", ErrDiffers, b.Count(), crc, e.Count, e.CRC, lost)
	}
	return b.Seal(nil, e.Producer, time.Now())
}

// Reframe makes anew what is left of a journaled batch, nil when that is nothing,
// and says how many bytes are gone.
func (f *Framer) Reframe(e *journal.Entry, fetch Fetch) (fresh *journal.Entry, sealed []byte, lost int64, err error) {
	b := New(f.Bytes)
	if lost, err = b.refill(f, e, fetch); err != nil || b.Empty() {
		return nil, nil, lost, err
	}
	sealed, err = b.Seal(nil, record.NoProducer, time.Now())
	return b.Entry(e.Partition, e.TopicID, record.NoProducer, e.Input), sealed, lost, err
}

// refill frames the ranges of e again and counts the bytes that are gone.
func (b *Batch) refill(f *Framer, e *journal.Entry, fetch Fetch) (lost int64, err error) {
	whole := *f
	whole.Bytes = 1 << 30 // what was one batch stays one
	for _, r := range e.Ranges {
		o, err := fetch(r)
		if errors.Is(err, follow.ErrGone) {
			lost += int64(r.End - r.Start)
			continue
		}
		if err != nil {
			return lost, err
		}
		s := whole.Source(r.Ref, o.Generation, o.Path, r.Start, r.Carry)
		had := len(b.ranges)
		b.Add(s, follow.Chunk{Generation: o.Generation, Start: r.Start, Data: o.Data, Part: int(r.Part), PartLast: r.PartLast})
		for i := had; i < len(b.ranges); i++ {
			b.ranges[i].Skips = journal.Skips{}
		}
		if had < len(b.ranges) {
			b.ranges[had].Skips = r.Skips // as it was counted when it was first framed
		}
	}
	if b.Framer == nil {
		b.Framer = &whole
	}
	return lost, nil
}

// ErrTooSmall says that a batch has a single record and cannot be split.
var ErrTooSmall = errors.New("a single record cannot be split")

// Half is one half of a batch, with an entry whose place in the sequence is to be set.
type Half struct {
	Entry  *journal.Entry
	Sealed []byte
}

// Split makes two batches of one out of its own bytes. splitLimit bounds what it
// decompresses to.
func Split(e *journal.Entry, sealed []byte) ([]Half, error) {
	if e.Count < 2 {
		return nil, ErrTooSmall
	}
	h, err := record.ParseHeader(sealed)
	if err != nil {
		return nil, err
	}
	first, second := New(len(sealed)), New(len(sealed))
	cut, n := int(e.Count/2), 0
	var reader record.Reader
	var headers []byte
	var at line.Pos // of the record where the second half begins
	err = reader.Read(sealed, splitLimit, func(r *record.Record) error {
		headers = headers[:0]
		for _, kv := range r.Headers {
			headers = record.AppendHeader(headers, string(kv.Key), kv.Value)
			if n == cut && string(kv.Key) == line.HeaderPos {
				if at, err = line.ParsePos(kv.Value); err != nil {
					return err
				}
			}
		}
		half := first
		if n >= cut {
			half = second
		}
		n++
		half.builder.Append(0, r.Key, r.Value, len(r.Headers), headers)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("splitting a batch: %w", err)
	}
	first.ranges, second.ranges = cutRanges(e.Ranges, int32(cut), at)
	var halves []Half
	for _, b := range []*Batch{first, second} {
		half, err := b.half(e, h)
		if err != nil {
			return nil, fmt.Errorf("splitting a batch: %w", err)
		}
		halves = append(halves, half)
	}
	return halves, nil
}

const splitLimit = 256 << 20

func (b *Batch) half(e *journal.Entry, h record.Header) (Half, error) {
	sealed, err := b.builder.Seal(nil, record.NoProducer, h.Codec(), h.FirstTimestamp, h.MaxTimestamp)
	return Half{b.Entry(e.Partition, e.TopicID, record.NoProducer, e.Input), sealed}, err
}

// cutRanges divides ranges after n records; at is where record n stands.
func cutRanges(ranges []journal.Range, n int32, at line.Pos) (first, second []journal.Range) {
	for i, r := range ranges {
		if n >= r.Count {
			first = append(first, r)
			n -= r.Count
			continue
		}
		if n > 0 {
			head := r
			head.End = at.Start - line.Position(at.Skipped)
			head.HardEnd, head.Count, head.Tail, head.TailLength = head.End, n, 0, 0
			r.Skips = journal.Skips{} // the first half counts them
			first = append(first, head)
			r.Start, r.Carry, r.Count = at.Start, at.Skipped, r.Count-n
		}
		return first, append(append(second, r), ranges[i+1:]...)
	}
	return first, second
}
