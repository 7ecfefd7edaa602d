package durable

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// A signed file begins with a line that holds the checksum of all that follows it, so
// that a cut is found out as well as a flipped bit:
//
//	#check 0a1b2c3d
//
// A file without that line was written by hand, or by another program, and is taken as
// it is.
const signature = "#check %08x\n"

var (
	signed     = []byte("#check ")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Sign puts the line before content.
func Sign(content []byte) []byte {
	return append(fmt.Appendf(make([]byte, 0, 16+len(content)), signature, crc32.Checksum(content, castagnoli)), content...)
}

// Unsign is the content of a file, once its checksum was found right.
func Unsign(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, signed) {
		return data, nil
	}
	_, content, _ := bytes.Cut(data, []byte("\n"))
	if want := Sign(content); !bytes.Equal(data, want) {
		return nil, fmt.Errorf("it is damaged, %q does not fit what follows: put back a copy; if you have edited it, remove that line",
			data[:min(len(data), len("#check 0a1b2c3d"))])
	}
	return content, nil
}
