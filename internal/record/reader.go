package record

import (
	"encoding/binary"
	"fmt"
)

// KV is one header of a record. A null value is nil.
type KV struct {
	Key   []byte
	Value []byte
}

// Record is one record of a batch. Its bytes alias the batch or the Reader's
// buffer and are valid until the next Read.
type Record struct {
	Offset    Offset
	Timestamp int64  // milliseconds since 1970
	Key       []byte // nil: null
	Value     []byte // nil: null
	Headers   []KV   // valid during the callback only
}

// Reader takes batches apart. It keeps its buffers from batch to batch and is
// for one goroutine.
type Reader struct {
	dec decompressor
	rec Record
}

// Read calls f with each record of one whole batch, in order. It decompresses at
// most limit bytes (ErrTooLarge above). The checksum is the caller's to check. A
// batch that lies about its records is ErrFormat; f's own error is returned as
// it is. The record's slices stay valid until the next Read, its Headers slice
// only during f.
func (r *Reader) Read(batch []byte, limit int, f func(*Record) error) error {
	h, err := ParseHeader(batch)
	if err != nil {
		return err
	}
	if h.Size() > len(batch) {
		return fmt.Errorf("%w: %d bytes of %d", ErrShort, len(batch), h.Size())
	}
	body, err := r.dec.decompress(batch[HeaderSize:h.Size()], h.Codec(), limit)
	if err != nil {
		return fmt.Errorf("decompressing the batch at offset %d (%s): %w", h.BaseOffset, h.Codec(), err)
	}
	for i := range h.Count {
		if body, err = r.next(body, h); err != nil {
			return fmt.Errorf("record %d of %d in the batch at offset %d: %w", i, h.Count, h.BaseOffset, err)
		}
		if err := f(&r.rec); err != nil {
			return err
		}
	}
	if len(body) != 0 {
		return fmt.Errorf("%w: %d bytes after the last record of the batch at offset %d", ErrFormat, len(body), h.BaseOffset)
	}
	return nil
}

// next reads the record at the head of body into r.rec and returns what follows.
func (r *Reader) next(body []byte, h Header) ([]byte, error) {
	size, n := binary.Varint(body)
	if n <= 0 || size < 1 || size > int64(len(body)-n) {
		return nil, ErrFormat
	}
	c := cursor{b: body[n+1 : n+int(size)]} // the attributes byte is unused
	ts := c.varint()
	delta := c.varint()
	r.rec.Offset = h.BaseOffset + Offset(delta)
	if r.rec.Timestamp = h.FirstTimestamp + ts; h.LogAppendTime() {
		r.rec.Timestamp = h.MaxTimestamp
	}
	r.rec.Key = c.bytes()
	r.rec.Value = c.bytes()
	count := c.varint()
	if count < 0 || count > int64(len(c.b)) {
		return nil, ErrFormat
	}
	r.rec.Headers = r.rec.Headers[:0]
	for ; count > 0 && !c.bad; count-- {
		key := c.bytes()
		r.rec.Headers = append(r.rec.Headers, KV{key, c.bytes()})
	}
	if c.bad || len(c.b) != 0 || delta < 0 || delta > int64(h.LastOffsetDelta) {
		return nil, ErrFormat
	}
	return body[n+int(size):], nil
}

// cursor walks the fields of one record; after the first bad one all are empty.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// bytes reads a length and that many bytes; -1 is nil.
func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}
