package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// compactedFile says up to which offset the log has been compacted. Without it all
// of the log is dirty, and is compacted once more:
//
//	compacted 90
//	crc 0a1b2c3d
const compactedFile = "commitlog-compacted"

func compactedBytes(upTo record.Offset) []byte {
	b := fmt.Appendf(nil, "compacted %d\n", upTo)
	return fmt.Appendf(b, "crc %08x\n", crc32.Checksum(b, castagnoli))
}

func parseCompacted(b []byte) (record.Offset, error) {
	var upTo record.Offset
	if _, err := fmt.Sscanf(string(b), "compacted %d\n", &upTo); err != nil || upTo < 0 || !bytes.Equal(b, compactedBytes(upTo)) {
		return 0, errors.New("damaged file")
	}
	return upTo, nil
}

// loadCompacted reads it; whatever is wrong with it costs one compaction.
func (l *Log) loadCompacted() {
	b, err := disk.ReadUpTo(l.fs, filepath.Join(l.dir, compactedFile), 4096)
	if err == nil {
		l.compacting.done, err = parseCompacted(b)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.mu.cfg.Logger.Warn("how far the log was compacted is not known, all of it will be", "log", l.name, "error", err)
	}
	if l.compacting.done > l.mu.end {
		// The log has lost its end. What is written there now is new, also after the next start.
		l.compacting.done = 0
		_ = l.fs.Remove(filepath.Join(l.dir, compactedFile))
	}
}

// noteCompacted writes it down. Its name need not be durable: see compactedFile.
func (l *Log) noteCompacted(upTo record.Offset) error {
	l.compacting.done = upTo
	l.keeping.Lock() // the folder is the log's as long as it is not closed
	defer l.keeping.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	return replace(l.fs, filepath.Join(l.dir, compactedFile), compactedBytes(upTo))
}
