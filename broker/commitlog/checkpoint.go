package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/internal/disk"
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
//	gaps 40                      below this offset compactions may have left offsets out
//	epochs 0a1b2c3d              CRC32C of the leader epochs that began before the point (epochs.go)
//	clean true                   written by Close: the log ended here
//	aborted 40 2 0a1b2c3d        per segment with aborted transactions (aborted_sums.go)
//	crc 0a1b2c3d                 CRC32C of the lines above
const checkpointFile = "commitlog-checkpoint"

// maxCheckpoint bounds the file, in bytes: 2 GiB of segments have 40 bytes each.
const maxCheckpoint = 16 << 20

const checkpointFormat = "commitlog 1\nstart %d\nend %d\nsegment %d %d\nlatest %d %d\nfirst-write %d\ngaps %d\nepochs %x\nclean %t\n"

// formerFormat is the layout before there were gaps, epochs and aborted: what it does not
// say is not known, the log start and where to begin are good.
const formerFormat = "commitlog 1\nstart %d\nend %d\nsegment %d %d\nlatest %d %d\nfirst-write %d\nclean %t\n"

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
	gaps       record.Offset
	epochs     uint32
	clean      bool
	aborted    string // lines
	former     bool   // read in the layout that says nothing of gaps, epochs and aborted transactions
}

func (c checkpoint) bytes() []byte {
	var first int64
	if !c.firstWrite.IsZero() {
		first = c.firstWrite.UnixMilli()
	}
	if c.former {
		return withCRC(fmt.Appendf(nil, formerFormat, c.start, c.end, c.segment, c.position, c.latestTime, c.latestLast, first, c.clean))
	}
	b := fmt.Appendf(nil, checkpointFormat, c.start, c.end, c.segment, c.position, c.latestTime, c.latestLast, first, c.gaps, c.epochs, c.clean)
	return withCRC(append(b, c.aborted...))
}

// withCRC ends a file with the checksum of its lines.
func withCRC(b []byte) []byte { return fmt.Appendf(b, "crc %08x\n", crc32.Checksum(b, castagnoli)) }

// errNewer refuses a folder that a later version of this program has written.
var errNewer = errors.New("written by a newer version of this program: start that one, or put back a copy of the folder from before it")

// parseCheckpoint reads the file; what it does not print itself it refuses.
func parseCheckpoint(b []byte) (checkpoint, error) {
	var c checkpoint
	if head, _, _ := bytes.Cut(b, []byte("\n")); string(head) != "commitlog 1" {
		var version int
		if _, err := fmt.Sscanf(string(head), "commitlog %d", &version); err == nil && version > 1 {
			return c, fmt.Errorf("version %d, this program reads version 1: %w", version, errNewer)
		}
	}
	var first int64
	err := scan(b, checkpointFormat, &c.start, &c.end, &c.segment, &c.position,
		&c.latestTime, &c.latestLast, &first, &c.gaps, &c.epochs, &c.clean)
	if err != nil {
		c = checkpoint{former: true}
		if scan(b, formerFormat, &c.start, &c.end, &c.segment, &c.position, &c.latestTime, &c.latestLast, &first, &c.clean) != nil {
			return c, fmt.Errorf("damaged checkpoint: %w", err)
		}
		c.gaps = c.end // compactions may have left offsets out anywhere
	}
	if first != 0 {
		c.firstWrite = time.UnixMilli(first)
	}
	if i := bytes.Index(b, []byte("\naborted ")); i >= 0 && !c.former {
		c.aborted = string(b[i+1 : max(i+1, bytes.LastIndex(b, []byte("crc ")))])
	}
	if !bytes.Equal(b, c.bytes()) {
		return c, errors.New("damaged checkpoint: bad CRC")
	}
	return c, nil
}

// loadCheckpoint is nil without an error when there is none.
func loadCheckpoint(fsys disk.FS, dir string) (*checkpoint, error) {
	b, err := disk.ReadUpTo(fsys, filepath.Join(dir, checkpointFile), maxCheckpoint)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	c, err := parseCheckpoint(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, checkpointFile), err)
	}
	return &c, nil
}
