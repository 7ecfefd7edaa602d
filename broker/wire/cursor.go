package wire

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that a request's bytes do not hold what its version says they hold.
var ErrMalformed = errors.New("malformed request")

// cursor walks the fields of a message. After the first field that does not fit, bad is set and every further
// field is empty, so callers check once, at the end or before they loop.
type cursor struct {
	b        []byte
	flexible bool // compact lengths and tag sections (KIP-482)
	bad      bool
}

// take returns the next n bytes, which alias the message.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.bad = nil, true
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) int8() int8 {
	if b := c.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (c *cursor) uvarint() int {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > 1<<31 {
		c.b, c.bad = nil, true
		return 0
	}
	c.b = c.b[n:]
	return int(v)
}

// length reads a length in front of a string or an array: classic is the size of the length in a version that is
// not flexible, -1 is null.
func (c *cursor) length(classic int) int {
	switch {
	case c.flexible:
		return c.uvarint() - 1
	case classic == 2:
		return int(c.int16())
	default:
		return int(c.int32())
	}
}

// text reads a string; null is nil. The bytes alias the message.
func (c *cursor) text() []byte {
	n := c.length(2)
	if n < 0 {
		c.bad = c.bad || n != -1
		return nil
	}
	return c.take(n)
}

// bytes reads a byte field; null is nil. The bytes alias the message.
func (c *cursor) bytes() []byte {
	n := c.length(4)
	if n < 0 {
		c.bad = c.bad || n != -1
		return nil
	}
	return c.take(n)
}

// array reads the count of an array whose elements have at least size bytes each. A count that cannot fit in what
// is left of the message is malformed: nothing is ever allocated for it.
func (c *cursor) array(size int) int {
	n := c.length(4)
	if n > len(c.b)/size {
		c.b, c.bad = nil, true
	}
	if n < 0 || c.bad {
		return 0
	}
	return n
}

// tags skips a tag section.
func (c *cursor) tags() {
	if !c.flexible {
		return
	}
	for n := c.uvarint(); n > 0 && !c.bad; n-- {
		c.uvarint()
		c.take(c.uvarint())
	}
}

// id reads a topic id.
func (c *cursor) id() (id [16]byte) {
	copy(id[:], c.take(16))
	return id
}

// done is ErrMalformed unless every field fitted. Bytes behind the last field are no error, as in Kafka.
func (c *cursor) done() error {
	if c.bad {
		return ErrMalformed
	}
	return nil
}
