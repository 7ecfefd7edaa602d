package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/loghaul/loghaul/internal/disk"
)

// largestOld bounds what is read to know a record of an old format.
const largestOld = 128 << 20

// oldFormat is an error when what begins at pos is no damage but a sound record of
// Kafka's message format 0 or 1, as a Kafka before 0.11 writes it. Their magic lies
// where a batch's does; their checksum is the plain CRC32 of all that follows it.
func (s *segment) oldFormat(f disk.File, pos int64) error {
	const head = 17 // offset 8, size 4, CRC 4, magic 1
	var b [head]byte
	if s.size-pos < head {
		return nil
	}
	if _, err := f.ReadAt(b[:], pos); err != nil {
		return nil // whoever asked will meet the same
	}
	magic, size := b[16], int64(int32(binary.BigEndian.Uint32(b[8:])))
	if magic > 1 || size < head-12 || size > min(largestOld, s.size-pos-12) {
		return nil
	}
	rest := make([]byte, size-4)
	if _, err := f.ReadAt(rest, pos+16); err != nil || crc32.ChecksumIEEE(rest) != binary.BigEndian.Uint32(b[12:]) {
		return nil
	}
	return fmt.Errorf("%s holds records in Kafka's message format %d at position %d, this log keeps format 2: "+
		"copy the topic with a client from the Kafka that wrote it, and move this folder away", s.path(logSuffix), magic, pos)
}
