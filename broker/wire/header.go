package wire

import "encoding/binary"

// Header stands before every request's body.
type Header struct {
	Key         int16
	Version     int16
	Correlation int32  // comes back in the response
	ClientID    string // as the client calls itself; null is empty
}

// ParseHeader reads the header of one frame (without its length) and returns it and what follows, which for a
// flexible version begins with a tag section (SkipTags).
func ParseHeader(frame []byte) (Header, []byte, error) {
	c := cursor{b: frame}
	h := Header{Key: c.int16(), Version: c.int16(), Correlation: c.int32()}
	h.ClientID = string(c.text())
	return h, c.b, c.done()
}

// SkipTags returns what follows the tag section at the head of b.
func SkipTags(b []byte) ([]byte, error) {
	c := cursor{b: b, flexible: true}
	c.tags()
	return c.b, c.done()
}

// AppendResponseHeader appends length (zero until SetLength), correlation and, if flexible, an empty tag section.
func AppendResponseHeader(dst []byte, correlation int32, flexible bool) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	if flexible {
		dst = append(dst, 0)
	}
	return dst
}

// SetLength writes the length of a whole response into its first four bytes; more is what follows beside head.
func SetLength(head []byte, more int) {
	binary.BigEndian.PutUint32(head, uint32(len(head)-4+more))
}
