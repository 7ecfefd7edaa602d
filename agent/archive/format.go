package archive

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Format is how an archive is compressed.
type Format string

// The formats that are read.
const (
	Gzip Format = "gzip"
	Zstd Format = "zstd"
)

// FormatLeast is how many first bytes Recognise wants.
const FormatLeast = 4

// Recognise says how a file is compressed that begins with first; false: it is no archive.
func Recognise(first []byte) (Format, bool) {
	switch {
	case len(first) >= 3 && first[0] == 0x1f && first[1] == 0x8b && first[2] == 8:
		return Gzip, true
	case len(first) >= 4 && bytes.Equal(first[:4], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd, true
	case len(first) >= 4 && first[0]&0xf0 == 0x50 && bytes.Equal(first[1:4], []byte{0x2a, 0x4d, 0x18}): // a skippable frame
		return Zstd, true
	}
	return "", false
}

// Trim is the name without the ending that compressors add to it; false: it has none.
func Trim(name string) (string, bool) {
	switch ext := filepath.Ext(name); strings.ToLower(ext) {
	case ".gz", ".z", ".zst", ".zstd":
		return name[:len(name)-len(ext)], len(name) > len(ext)
	}
	return name, false
}

// weight is how many bytes of memory reading an archive takes that begins with first.
func weight(format Format, first []byte) int64 {
	if format == Zstd {
		var h zstd.Header
		if err := h.Decode(first); err == nil && !h.Skippable {
			return int64(min(max(h.WindowSize, 1<<20), windowMost)) + overhead
		}
		return 8<<20 + overhead
	}
	return overhead
}

const (
	// windowMost bounds the window of a zstd archive: what --ultra -20 makes still fits,
	// --long=27 does not.
	windowMost = 32 << 20
	// overhead is what else a decoder and the bytes that are kept take.
	overhead = 512 << 10
)
