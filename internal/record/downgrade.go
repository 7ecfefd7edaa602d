package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrNoOldForm says that a batch has a codec that formats 0 and 1 do not have.
var ErrNoOldForm = errors.New("zstd has no place in formats 0 and 1")

// mostWrapped is how many bytes of messages one wrapper takes before the next is begun: a message may have five times the
// bytes of its record, and a packed batch a thousand times its own.
const mostWrapped = 1 << 20

// Downgrade appends to dst the records of one whole batch as messages of format 0 or 1, packed as the batch is: then in
// wrappers, from the one on that holds from or what follows it, else each for itself, those before from left out (whoever
// asked for from and cannot skip, like old librdkafka, counts on it). Once they make most bytes the rest is left out: whole
// says whether the batch's last record is among them. Headers are lost, times too in format 0; a control batch gives
// nothing. Limit is how many bytes the batch may have unpacked. It refuses with ErrNoOldForm, ErrTooLarge, ErrFormat or the
// codec's own error.
func (c *Converter) Downgrade(dst, batch []byte, magic int8, from Offset, most, limit int) (out []byte, whole bool, err error) {
	h, err := ParseHeader(batch)
	if err != nil {
		return dst, false, err
	}
	d := downgrade{c: c, codec: h.Codec(), from: from, most: most, out: dst, at: len(dst), first: -1}
	switch {
	case h.Control():
		return dst, true, nil
	case d.codec == Zstd:
		return dst, false, ErrNoOldForm
	}
	if d.m.magic = magic; h.LogAppendTime() && magic == 1 {
		d.m.attributes = attrAppendTime
	}
	c.inner = c.inner[:0]
	if err = c.Read(batch, limit, d.take); err == nil {
		err = d.flush()
	}
	if err != nil && err != errFull {
		return dst, false, err
	}
	return d.out, !d.full, nil
}

// downgrade is one batch on its way.
type downgrade struct {
	c     *Converter
	codec Codec
	from  Offset
	most  int
	m     message // what all have in common
	out   []byte
	at    int  // where in out the batch's messages begin
	full  bool // there is no room for more of it

	// of the messages that wait in c.inner for their wrapper
	first, last Offset // -1: none
	latest      int64
}

// errFull ends the reading of a batch of which no more has room.
var errFull = errors.New("no room for more")

// take takes one record.
func (d *downgrade) take(r *Record) error {
	if d.codec == None && r.Offset < d.from {
		return nil
	}
	if len(r.Key)+len(r.Value) > math.MaxInt32-messageOverhead-leastMessage-8 {
		return ErrTooLarge
	}
	d.m.offset, d.m.timestamp, d.m.key, d.m.value = r.Offset, r.Timestamp, r.Key, r.Value
	if d.codec == None {
		if d.full = len(d.out) > d.at && len(d.out)-d.at+messageSize(&d.m) > d.most; d.full {
			return errFull
		}
		d.out = appendMessage(d.out, &d.m)
		return nil
	}
	if d.first < 0 {
		d.first, d.latest = r.Offset, -1
	}
	if d.m.magic == 1 {
		d.m.offset -= d.first
	}
	d.last, d.latest = r.Offset, max(d.latest, r.Timestamp)
	if d.c.inner = appendMessage(d.c.inner, &d.m); len(d.c.inner) >= mostWrapped {
		return d.flush()
	}
	return nil
}

// flush puts the messages that wait into their wrapper, if whoever asked for from wants one of them.
func (d *downgrade) flush() error {
	if d.first < 0 {
		return nil
	}
	if d.last >= d.from {
		w := message{magic: d.m.magic, attributes: int8(d.codec) | d.m.attributes, offset: d.last, timestamp: d.latest}
		out, err := d.c.wrap(d.out, &w, d.c.inner)
		if err != nil {
			return err
		}
		if d.full = len(d.out) > d.at && len(out)-d.at > d.most; d.full {
			return errFull
		}
		d.out = out
	}
	d.first, d.c.inner = -1, d.c.inner[:0]
	return nil
}

// wrap appends to dst the message w whose value is set, packed.
func (c *Converter) wrap(dst []byte, w *message, set []byte) ([]byte, error) {
	at := len(dst)
	dst = appendMessage(dst, w)
	length := len(dst) - 4 // of the value, which is null yet
	out, err := c.comp.compressOld(dst, set, w.codec(), w.magic)
	if err != nil {
		return dst[:at], fmt.Errorf("compressing %d bytes of messages with %s: %w", len(set), w.codec(), err)
	}
	binary.BigEndian.PutUint32(out[length:], uint32(len(out)-length-4))
	return finishMessage(out, at), nil
}
