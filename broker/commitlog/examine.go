package commitlog

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/loghaul/loghaul/internal/record"
)

// mostExamined bounds how many bytes are held against checksums in a segment, to find
// where sound batches begin again behind damaged ones.
const mostExamined = 256 << 20

// examination reads one segment's file from batch to batch and tells which offsets
// cannot be trusted: from the first bad batch to the next sound one, and no others. A
// batch is sound when its checksum and its epoch are and its offset follows the one
// before, or the batch behind it agrees with it. Where a bad batch ends its length
// says, if a sound batch begins there; or else it is searched for.
type examination struct {
	log   *Log
	s     *segment
	ctx   context.Context
	w     *walker
	after record.Offset // where the next segment begins; -1: it is the last
	end   record.Offset // the offset behind all that may be read here
	next  record.Offset // behind the last sound batch
	wait  func(context.Context, int) error
	tell  func(Damage)

	bad    *Damage       // that goes on at the walker's position; nil: the batch before is sound
	guess  record.Offset // where it ends by what its own batches say; -1: they say nothing
	budget int64         // bytes that may yet be searched
}

// verdict is what one batch looks like.
type verdict struct {
	header record.Header
	parsed bool   // it has a header
	crc    bool   // its checksum is right
	reason string // what is wrong; empty: it is sound
}

// run examines the file up to the walker's limit.
func (e *examination) run() error {
	for e.ctx.Err() == nil {
		pos := e.w.pos
		if pos >= e.w.limit {
			e.atEnd()
			return nil
		}
		v, err := e.judge(pos)
		var failed *StorageError
		if errors.As(err, &failed) { // a bad sector, perhaps; the other segments may be read all the same
			e.spoilt(failed.Position, verdict{reason: failed.Err.Error()})
			e.guess = -1
			e.atEnd()
			return nil
		} else if err != nil {
			return err
		}
		e.w.pos = pos + int64(v.header.Size())
		if v.reason == "" {
			e.mended(pos, v.header.BaseOffset)
			e.next = v.header.NextOffset()
		} else {
			e.spoilt(pos, v)
			if err := e.resync(pos, v); err != nil && !errors.As(err, &failed) {
				return err
			}
		}
		if err := e.wait(e.ctx, int(e.w.pos-pos)); err != nil {
			return err
		}
	}
	return e.ctx.Err()
}

// judge looks at the batch at pos. The error is of the disk.
func (e *examination) judge(pos int64) (v verdict, err error) {
	e.w.pos = pos
	v.header, err = e.w.next()
	if v.parsed = err == nil; v.parsed {
		err = e.w.checksum(v.header, pos)
		v.crc = err == nil
	}
	if v.crc {
		err = e.log.stamps.epochOf(v.header)
	}
	if err == nil {
		err = e.follows(v.header, pos+int64(v.header.Size()))
	}
	if d, is := asDamage(err); is {
		v.reason, err = d.reason, nil
	}
	return v, err
}

// follows is *damage when a batch, which ends at behind, has an offset that is not its
// own: what lies before it says another, and what lies behind it does not agree.
func (e *examination) follows(h record.Header, behind int64) error {
	expected := e.next
	if e.bad != nil && e.guess >= 0 {
		expected = e.guess
	}
	wrong := damaged("batch offset %d, expected %d", h.BaseOffset, expected)
	switch {
	case h.BaseOffset == expected:
		return nil
	case h.BaseOffset < e.next || h.NextOffset() > e.end:
		return wrong
	}
	gap := e.log.stamps.gap(e.next, h.BaseOffset)
	if behind >= e.w.limit {
		if gap || e.after < 0 || h.NextOffset() == e.after || e.log.stamps.gap(h.NextOffset(), e.after) {
			return nil
		}
		return wrong
	}
	e.w.pos = behind
	g, err := e.w.next()
	agrees := err == nil && (g.BaseOffset == h.NextOffset() || e.log.stamps.gap(h.NextOffset(), g.BaseOffset))
	if err == nil && agrees != gap { // they contradict each other, unless the one behind is the bad one
		err = e.w.checksum(g, behind)
	}
	if _, bad := asDamage(err); err != nil && !bad {
		return err
	} else if err == nil && agrees || err != nil && gap {
		return nil
	}
	return wrong
}

// spoilt takes down that the batch at pos is not sound.
func (e *examination) spoilt(pos int64, v verdict) {
	h := v.header
	from, expected := e.next, e.next
	if e.bad != nil {
		expected = e.guess
	}
	fits := v.parsed && expected >= 0 && (h.BaseOffset == expected || e.log.stamps.gap(expected, h.BaseOffset))
	switch {
	case fits && h.NextOffset() <= e.end:
		from, e.guess = h.BaseOffset, h.NextOffset()
	case v.crc && expected >= 0:
		e.guess = expected + record.Offset(h.LastOffsetDelta) + 1
	default:
		e.guess = -1
	}
	if e.bad == nil {
		d := e.log.damageOf(e.s, pos, from, from+1, v.reason)
		e.bad = &d
	}
}

// mended ends what is bad before the sound batch at pos. Offsets that are in no batch
// between the two are told too.
func (e *examination) mended(pos int64, base record.Offset) {
	if e.bad == nil && base != e.next && !e.log.stamps.gap(e.next, base) {
		d := e.log.damageOf(e.s, pos, e.next, base, damaged("batch offset %d, expected %d", base, e.next).Error())
		e.bad, e.guess = &d, -1
	}
	if e.bad == nil {
		return
	}
	e.bad.To, e.bad.until = e.upTo(base), pos
	e.tell(*e.bad)
	e.bad, e.guess = nil, -1
}

// upTo is where the bad offsets end when the next known one is that.
func (e *examination) upTo(next record.Offset) record.Offset {
	if e.guess > e.bad.From && (e.guess == next || e.log.stamps.gap(e.guess, next)) {
		next = e.guess
	}
	return max(next, e.bad.From+1)
}

// atEnd ends what is bad with the file, and says what is missing behind it.
func (e *examination) atEnd() {
	switch {
	case e.bad != nil:
		if e.bad.To = e.upTo(e.end); e.after < 0 && e.guess > e.bad.From {
			e.bad.To = e.guess // records may have come since
		}
		if e.bad.until = 0; e.after < 0 {
			e.bad.until = e.w.limit // more may come behind it
		}
		e.tell(*e.bad)
	case e.after >= 0 && e.next != e.after && !e.log.stamps.gap(e.next, e.after):
		e.tell(e.log.lostBehind(e.s, e.next, e.after, missingFile(e.next, e.after)))
	}
}

// resync moves the walker to where sound batches may begin again behind a bad one.
func (e *examination) resync(pos int64, v verdict) error {
	if q := e.lengthAt(pos); q == e.w.limit && v.parsed {
		e.w.pos = q
		return nil
	} else if q > pos && q < e.w.limit {
		behind, err := e.judge(q)
		if err != nil || behind.crc && (behind.reason == "" || v.crc) {
			e.w.pos = q // what is wrong there is told where it is
			return err
		}
	}
	return e.search(pos + 1)
}

// lengthAt is where the batch at pos ends by its length, -1: not within the file.
func (e *examination) lengthAt(pos int64) int64 {
	e.w.pos = pos
	b, err := e.w.window(12)
	if err != nil || len(b) < 12 {
		return -1
	}
	n := int64(int32(binary.BigEndian.Uint32(b[8:])))
	if n < record.HeaderSize-12 || pos+12+n > e.w.limit {
		return -1
	}
	return pos + 12 + n
}

// search moves the walker to the next sound batch from pos on, or to the end.
func (e *examination) search(pos int64) error {
	for pos+record.HeaderSize <= e.w.limit && e.ctx.Err() == nil {
		e.w.pos, e.w.n = pos, 0
		b, err := e.w.window(min(int64(len(e.w.buf)), e.w.limit-pos))
		if err != nil {
			return err
		}
		i := e.candidate(b, pos)
		if i < 0 {
			if len(b) < record.HeaderSize {
				break // the file is shorter than it was
			}
			pos += int64(len(b) - record.HeaderSize + 1)
			continue
		}
		pos += int64(i)
		v, err := e.judge(pos)
		if err != nil && err != io.EOF {
			return err
		}
		if v.crc && v.reason == "" {
			e.w.pos = pos
			return nil
		}
		if e.budget -= int64(v.header.Size()); e.budget < 0 {
			break
		}
		pos++
	}
	e.w.pos = e.w.limit
	return e.ctx.Err()
}

// candidate is where in b, which lies at pos, a batch of the offsets that are looked for
// may begin; -1: nowhere.
func (e *examination) candidate(b []byte, pos int64) int {
	for i := 0; i+record.HeaderSize <= len(b); i++ {
		if b[i+16] != 2 {
			continue
		}
		if base := record.Offset(binary.BigEndian.Uint64(b[i:])); base < e.next || base >= e.end {
			continue
		}
		if _, err := parse(b[i:i+record.HeaderSize], e.w.limit-pos-int64(i)); err == nil {
			return i
		}
	}
	return -1
}
