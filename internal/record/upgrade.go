package record

import (
	"errors"
	"fmt"
)

// Converter turns message sets of formats 0 and 1 into batches and batches into message sets, and packs batches anew. It
// keeps its buffers from call to call (Shed) and is for one goroutine.
type Converter struct {
	Reader
	builder Builder
	comp    compressor
	inner   []byte
	first   int64 // time of the builder's first record
	latest  int64 // of all its records
}

// Shed lets go of buffers of more than limit bytes, so that a rare large batch is not paid for ever after.
func (c *Converter) Shed(limit int) {
	c.dec.src.Reset(nil) // the batch is its owner's
	if cap(c.dec.buf) > limit {
		c.dec.buf = nil
	}
	if cap(c.builder.buf) > limit {
		c.builder.buf = nil
	}
	if cap(c.inner) > limit {
		c.inner = nil
	}
}

// Upgrade says how a message set becomes a batch.
type Upgrade struct {
	Largest int   // bytes that one message of the set may have, packed as it is (ErrTooLarge)
	Limit   int   // bytes that it may have unpacked (ErrTooLarge)
	Codec   Codec // the batch's; less than 0: that of the set
	Level   Level // of Codec

	// Each is told of every record: its number, its time, whether it has a key, and whether it says that the broker has
	// set its time; may be nil.
	Each func(number int, ms int64, keyed, appendTime bool)
}

// Upgrade appends to dst the batch of format 2 that holds the records of a message set of formats 0 and 1, in their order;
// offsets that the set gives them are not looked at, as some clients leave them out. A cut message at the end is left out,
// as Kafka does; the count of records is 0, and dst as it was, when there is none before it. Format 0 has no times: -1. The
// error is ErrCorrupt, ErrFormat (a packed message beside others, or within one, or of another format), ErrTooLarge,
// ErrCodec, or that of the codec.
func (c *Converter) Upgrade(dst, set []byte, u Upgrade) (out []byte, count int, err error) {
	c.builder.Reset()
	c.first, c.latest = -1, -1
	codec, magic, number := None, MessageMagic(set), 0
	for len(set) > 0 {
		var m message
		size := len(set)
		if m, set, err = nextMessage(set); errors.Is(err, errCut) {
			break
		}
		size -= len(set)
		switch {
		case err != nil:
		case m.magic != magic:
			err = fmt.Errorf("%w: format %d behind format %d", ErrFormat, m.magic, magic)
		case size > u.Largest:
			err = fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, u.Largest)
		case number > 0 && (codec != None || m.codec() != None):
			err = fmt.Errorf("%w: a packed message stands alone", ErrFormat)
		case m.codec() != None:
			codec = m.codec()
			err = c.unwrap(&m, u)
		default:
			c.take(&m, u)
		}
		if err != nil {
			return dst, 0, fmt.Errorf("message %d of the set: %w", number, err)
		}
		number++
	}
	if c.builder.Count() == 0 {
		return dst, 0, nil
	}
	level := Fast
	if u.Codec >= 0 {
		codec, level = u.Codec, u.Level
	}
	out, err = c.builder.seal(dst, NoProducer, codec, level, c.first, c.latest)
	return out, c.builder.Count(), err
}

// unwrap takes the messages of a wrapper.
func (c *Converter) unwrap(w *message, u Upgrade) error {
	if w.codec() > Lz4 {
		return fmt.Errorf("%w: %s in format %d", ErrCodec, w.codec(), w.magic)
	}
	set, err := c.dec.decompressOld(w.value, w.codec(), w.magic, u.Limit)
	if err != nil {
		return fmt.Errorf("decompressing it (%s): %w", w.codec(), err)
	}
	for len(set) > 0 {
		var m message
		if m, set, err = nextMessage(set); errors.Is(err, errCut) {
			break
		}
		switch {
		case err != nil:
			return err
		case m.magic != w.magic:
			return fmt.Errorf("%w: format %d within format %d", ErrFormat, m.magic, w.magic)
		case m.codec() != None:
			return fmt.Errorf("%w: a packed message within another", ErrFormat)
		}
		if w.logAppendTime() {
			m.timestamp = w.timestamp
		}
		m.attributes = w.attributes
		c.take(&m, u)
	}
	if c.builder.Count() == 0 {
		return fmt.Errorf("%w: nothing within a packed message", ErrFormat)
	}
	return nil
}

// take puts one message into the batch.
func (c *Converter) take(m *message, u Upgrade) {
	if u.Each != nil {
		u.Each(c.builder.Count(), m.timestamp, m.key != nil, m.logAppendTime())
	}
	if c.builder.Count() == 0 {
		c.first = m.timestamp
	}
	c.latest = max(c.latest, m.timestamp)
	c.builder.appendNullable(m.timestamp-c.first, m.key, m.value)
}
