// Package line says what a log line is on the wire: the key and the headers of
// its record, and the position in its source that makes it itself.
//
// The value is the line's bytes as written, without its ending. The key is
// <host>:<path>. Header pos is ASCII:
//
//	<generation, 8 hex>:<start>+<length>[-<skipped>]     1f0c9a3e:4096+171
//
// in decimal bytes of the source, line ending included; skipped counts bytes
// dropped on purpose since the previous record. So the records of a generation
// are contiguous, and whoever reads them finds a gap without any other help.
package line

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Names of the headers that loghaul itself writes; an input's labels are others.
const (
	HeaderPos  = "pos"  // where the line stood in its source
	HeaderPart = "part" // which piece of an over-long line: "2", the last "3/last"
)

// Position is a byte in a source file, counted from 0. It is not an Offset.
type Position int64

// Generation names one inode's bytes from 0 until it is truncated or deleted.
type Generation uint32

// String is the generation as pos carries it: eight hex digits.
func (g Generation) String() string { return string(g.append(make([]byte, 0, 8))) }

const hexDigits = "0123456789abcdef"

func (g Generation) append(dst []byte) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[g>>shift&15])
	}
	return dst
}

// Pos is a line's identity: the range of source bytes that became its record.
type Pos struct {
	Generation Generation
	Start      Position
	Length     int64 // bytes in the source, line ending included
	Skipped    int64 // bytes dropped on purpose just before Start
}

// Append writes p onto dst as header pos carries it.
func (p Pos) Append(dst []byte) []byte {
	dst = append(p.Generation.append(dst), ':')
	dst = strconv.AppendInt(dst, int64(p.Start), 10)
	dst = strconv.AppendInt(append(dst, '+'), p.Length, 10)
	if p.Skipped > 0 {
		dst = strconv.AppendInt(append(dst, '-'), p.Skipped, 10)
	}
	return dst
}

// String is p as header pos carries it.
func (p Pos) String() string { return string(p.Append(nil)) }

// End is the position after the line.
func (p Pos) End() Position { return p.Start + Position(p.Length) }

// ErrPos says that a header pos is not of the form that Pos.Append writes.
var ErrPos = errors.New("malformed pos")

// ParsePos reads header pos.
func ParsePos(b []byte) (Pos, error) {
	bad := fmt.Errorf("%w %q: want <8 hex>:<start>+<length>[-<skipped>]", ErrPos, clip(b))
	if len(b) < 9 || b[8] != ':' {
		return Pos{}, bad
	}
	gen, err := strconv.ParseUint(string(b[:8]), 16, 32)
	if err != nil {
		return Pos{}, bad
	}
	start, rest, ok := bytes.Cut(b[9:], []byte{'+'})
	if !ok {
		return Pos{}, bad
	}
	length, skipped, hasSkipped := bytes.Cut(rest, []byte{'-'})
	p := Pos{Generation: Generation(gen)}
	s, okS := decimal(start)
	n, okN := decimal(length)
	k, okK := int64(0), true
	if hasSkipped {
		k, okK = decimal(skipped)
	}
	if !okS || !okN || !okK {
		return Pos{}, bad
	}
	p.Start, p.Length, p.Skipped = Position(s), n, k
	return p, nil
}

// decimal reads plain digits, no sign and no space.
func decimal(b []byte) (int64, bool) {
	if len(b) == 0 || b[0] == '+' || b[0] == '-' {
		return 0, false
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	return v, err == nil
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }

// AppendKey writes a line's key, <host>:<path>, onto dst.
func AppendKey(dst []byte, host, path string) []byte {
	dst = append(append(dst, host...), ':')
	return append(dst, path...)
}
