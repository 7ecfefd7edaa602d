package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// checkpointFile says where recovery may begin. It is replaced whole, after what
// it vouches for has been synced:
//
//	commitlog 1
//	start 0                      log start offset
//	end 90                       offset of the recovery point
//	segment 0 5678               base of its segment, and its position in the file
//	latest 1700000000000 89      latest time in that segment below the point, and its batch's last offset
//	first-write 1700000000000    wall clock of the segment's first append, ms
//	clean true                   written by Close: the log ended here
//	crc 0a1b2c3d                 CRC32C of the lines above
const checkpointFile = "commitlog-checkpoint"

const checkpointFormat = "commitlog 1\nstart %d\nend %d\nsegment %d %d\nlatest %d %d\nfirst-write %d\nclean %t\n"

// checkpoint is a recovery point: everything before it is on the disk, with its
// index entries.
type checkpoint struct {
	start      record.Offset
	end        record.Offset
	segment    record.Offset
	position   int64
	latestTime int64
	latestLast record.Offset
	firstWrite time.Time
	clean      bool
}

func (c checkpoint) bytes() []byte {
	var first int64
	if !c.firstWrite.IsZero() {
		first = c.firstWrite.UnixMilli()
	}
	b := fmt.Appendf(nil, checkpointFormat, c.start, c.end, c.segment, c.position, c.latestTime, c.latestLast, first, c.clean)
	return fmt.Appendf(b, "crc %08x\n", crc32.Checksum(b, castagnoli))
}

// parseCheckpoint reads the file; what it does not print itself it refuses.
func parseCheckpoint(b []byte) (checkpoint, error) {
	var c checkpoint
	var first int64
	var crc uint32
	_, err := fmt.Sscanf(string(b), checkpointFormat+"crc %x\n", &c.start, &c.end, &c.segment, &c.position,
		&c.latestTime, &c.latestLast, &first, &c.clean, &crc)
	if err != nil {
		return c, fmt.Errorf("damaged checkpoint: %w", err)
	}
	if first != 0 {
		c.firstWrite = time.UnixMilli(first)
	}
	if !bytes.Equal(b, c.bytes()) {
		return c, errors.New("damaged checkpoint: bad CRC")
	}
	return c, nil
}

// loadCheckpoint is nil without an error when there is none.
func loadCheckpoint(fsys fileSystem, dir string) (*checkpoint, error) {
	b, err := readAll(fsys, filepath.Join(dir, checkpointFile), 4096)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	c, err := parseCheckpoint(b)
	if err != nil {
		return nil, err
	}
	return &c, nil
}
